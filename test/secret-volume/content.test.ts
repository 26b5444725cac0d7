/** Table D: what files hold, who may read them, and what is never repeated of them. */

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { expect } from 'vitest';
import { openVolume, type Reading, VolumeError } from '../../src/secret-volume/index.ts';
import { leaks } from '../support/leaks.ts';
import { quickPoll, scenarios, texts, until, withProcessWarnings } from '../support/scenario.ts';

const { row, end } = scenarios('D', 13);

row('D1', 'leaves one final newline out of text', async ({ directory, writer, open }) => {
  await writer.write(directory, { lf: 'k\n', crlf: 'k\r\n', two: 'k\n\n', none: 'k', cr: 'k\r', only: '\n' });
  const { volume, warnings } = open();
  expect(texts(await volume.ready())).toEqual({
    lf: 'k',
    crlf: 'k',
    two: 'k\n',
    none: 'k',
    cr: 'k\r',
    only: '',
  });
  texts(volume.current);
  const trailing = warnings.filter(({ code }) => code === 'trailing_newline');
  expect(trailing.map(({ name }) => name)).toEqual(['crlf', 'lf', 'only', 'two']);
});

row('D2', 'gives bytes with their newline', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: 'k\n' });
  const { volume, warnings } = open();
  expect([...(await volume.ready()).bytes('a')]).toEqual([0x6b, 0x0a]);
  expect(warnings.filter(({ code }) => code === 'trailing_newline')).toEqual([]);
});

row('D3', 'refuses text that begins with a byte order mark', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: 'good' });
  const { volume, codes, reaches } = open({ parse: (reading) => reading.text('a') });
  await volume.ready();
  const marks = {
    'UTF-8': [0xef, 0xbb, 0xbf, 0x6b],
    'UTF-16, little end first': [0xff, 0xfe, 0x6b, 0x00],
    'UTF-16, big end first': [0xfe, 0xff, 0x00, 0x6b],
    'an invalid byte': [0x6b, 0xff],
    'half a character': [0x6b, 0xc3],
  };
  for (const [index, bytes] of Object.values(marks).entries()) {
    await writer.write(directory, { a: new Uint8Array(bytes) });
    await until(() => volume.health.rejected === index + 1);
    expect(volume.health.problem?.problems).toMatchObject([{ code: 'not_text', name: 'a' }]);
  }
  expect(volume.current).toBe('good');
  expect(new Set(codes())).toEqual(new Set(['not_text']));
  await writer.write(directory, { a: 'good again, \u00e9' });
  await reaches(2);
  expect(volume.current).toBe('good again, \u00e9');
});

row('D4', 'leaves decoding to the caller, and takes its refusal', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: 'a2V5' });
  let encoding: 'base64' | 'base64url' = 'base64';
  const { volume, reaches } = open({
    parse: (reading) => {
      const text = reading.text('a');
      const bytes = Buffer.from(text, encoding);
      if (bytes.toString(encoding) !== text) throw new VolumeError(`"a" is not ${encoding}`);
      return bytes.toString('latin1');
    },
  });
  expect(await volume.ready()).toBe('key');
  const refusedTexts = ['a2V5a2V5\na2V5', 'a2U', 'a2V=', '-_-_'];
  for (const [index, text] of refusedTexts.entries()) {
    await writer.write(directory, { a: text });
    await until(() => volume.health.rejected === index + 1);
    expect(volume.health.problem?.message).toBe('"a" is not base64');
  }
  expect(volume.current).toBe('key');
  encoding = 'base64url';
  volume.refresh();
  await reaches(2);
  expect(volume.current).toBe('\u00fb\u00ff\u00bf');
  encoding = 'base64';
  await writer.write(directory, { a: Buffer.from('a2V5').toString('base64') });
  await reaches(3);
  expect(volume.current).toBe('a2V5');
});

row('D5', 'keeps the last good value when the caller refuses a key', async (scene) => {
  const { directory, writer, open } = scene;
  await writer.write(directory, { a: 'long enough to be a key' });
  const { volume, codes, reaches } = open({
    required: ['a'],
    parse: (reading) => {
      const key = reading.text('a');
      if (key.trim() === '') throw new VolumeError('"a" is blank');
      if (key.length < 16) throw new VolumeError(`"a" has ${key.length} characters; it needs 16`);
      return key;
    },
  });
  await volume.ready();
  for (const [index, text] of ['', ' \t\n', 'too short'].entries()) {
    await writer.write(directory, { a: text });
    await until(() => volume.health.rejected === index + 1);
    expect(volume.current).toBe('long enough to be a key');
  }
  expect(codes()).toEqual(['empty_file', 'refused', 'refused']);
  await writer.write(directory, { a: 'another that is long enough' });
  await reaches(2);
  expect(volume.current).toBe('another that is long enough');
});

row('D6', 'reads nothing beyond its limits', async ({ directory, writer, open }) => {
  const limits = { maxFileBytes: 1000, maxFiles: 4, maxTotalBytes: 2500 };
  await writer.write(directory, { a: 'x'.repeat(1000) });
  const { volume, reaches } = open({ limits });
  expect((await volume.ready()).bytes('a')).toHaveLength(1000);
  const code = () => volume.health.problem?.problems.map((each) => each.code).join();
  const refuses = async (payload: Record<string, string>, expected: string) => {
    await writer.write(directory, payload);
    await until(() => code() !== undefined);
    expect(code()).toBe(expected);
    await writer.write(directory, { a: 'x'.repeat(1000) });
    await until(() => code() === undefined);
  };
  await refuses({ a: 'x'.repeat(1001) }, 'too_large');
  await refuses({ a: 'x'.repeat(900), b: 'x'.repeat(900), c: 'x'.repeat(900) }, 'too_large');
  await refuses({ a: '1', b: '1', c: '1', d: '1', e: '1' }, 'too_many_files');
  await refuses({ 'a/b/c/d/e': '1' }, 'too_deep');
  const exact = { a: 'x'.repeat(900), b: 'x'.repeat(900), c: 'x'.repeat(700) };
  await writer.write(directory, exact);
  await reaches(2);
  expect(texts(volume.current)).toEqual(exact);
});

row(
  'D6',
  'reads no more than its limit of a file that is larger than it says',
  async ({ directory, writer, reader }) => {
    await writer.fs('mkdirSync', directory);
    await writer.fs('writeFileSync', join(directory, 'a'), '');
    const { call } = reader({ within: ['unshare', '-m'] });
    // Its size is given as 0.
    await call.exec('mount', '--bind', '/proc/kallsyms', join(directory, 'a'));
    await call.open(directory, { ...quickPoll, limits: { maxFileBytes: 1000 } });
    await until(async () => (await call.state()).problems.length > 0);
    expect((await call.state()).problems).toEqual(['too_large: "a" is over 1000 bytes']);
    await call.close();
    const { rssBytes } = await call.resources();
    await call.open(directory, { ...quickPoll, limits: { maxFileBytes: 2 ** 16 } });
    await until(async () => (await call.state()).problems.length > 0);
    expect((await call.state()).problems).toEqual(['too_large: "a" is over 65536 bytes']);
    expect((await call.resources()).rssBytes - rssBytes).toBeLessThan(32 * 2 ** 20);
  },
  { needs: ['mount namespaces'] },
);

row('D7', 'neither hangs on nor reads what is no file', async ({ directory, elsewhere, writer, reader }) => {
  const { call } = reader();
  const refuses = async (name: string, make: (path: string) => Promise<unknown>) => {
    const volume = join(elsewhere, name);
    await writer.write(volume, { good: '1' });
    await make(join(volume, '..data', 'bad'));
    await call.open(volume, quickPoll);
    await until(async () => (await call.state()).problems.length > 0);
    const { problems, files } = await call.state();
    expect([name, problems, files]).toEqual([name, ['not_a_file: "bad" is not a regular file'], undefined]);
    await call.close();
  };
  await refuses('fifo', (path) => call.exec('mkfifo', path));
  const server = createServer();
  await refuses('socket', (path) => new Promise<void>((resolve) => server.listen(path, resolve)));
  server.close();

  // A directory holds files or nothing; an empty one is not a key.
  await writer.write(directory, { good: '1' });
  await writer.fs('mkdirSync', join(directory, '..data', 'bad'));
  await call.open(directory, { ...quickPoll, required: ['bad'] });
  await until(async () => (await call.state()).problems.length > 0);
  expect((await call.state()).problems).toEqual(['missing_file: "bad" is required and not in the volume']);
});

row('D7', 'does not hang on a pipe that takes a file’s place while it is read', async (scene) => {
  const { directory, elsewhere, writer } = scene;
  const file = join(directory, 'a');
  const at = (name: string) => join(elsewhere, name);
  await writer.fs('mkdirSync', directory);
  await writer.fs('writeFileSync', at('regular'), 'regular');
  execFileSync('mkfifo', [at('fifo')]);
  const take = (name: string) =>
    [
      ['linkSync', at(name), at('next')],
      ['renameSync', at('next'), file],
    ] as const;
  let ended = false;
  const changes = Array.from({ length: 5000 }, () => [...take('fifo'), ...take('regular')]).flat();
  const changing = writer.sequence(0, changes).then(() => {
    ended = true;
  });
  const outcomes = { ready: 0, problem: 0, none: 0 };
  while (!ended && outcomes.none === 0) {
    const volume = openVolume(directory, { watch: false });
    const outcome = await Promise.race([
      volume.ready().then(() => 'ready' as const),
      new Promise<'problem'>((resolve) => volume.onProblem(() => resolve('problem'))),
      delay(5000, 'none' as const),
    ]);
    outcomes[outcome]++;
    await volume.close();
  }
  await changing;
  expect(outcomes.none).toBe(0);
  expect(outcomes.ready + outcomes.problem).toBeGreaterThan(10);
});

row(
  'D7',
  'does not read a device',
  async ({ directory, writer, reader }) => {
    const { call } = reader();
    await writer.write(directory, { good: '1' });
    await call.exec('mknod', join(directory, '..data', 'bad'), 'c', '1', '5'); // that of /dev/zero
    await call.open(directory, quickPoll);
    await until(async () => (await call.state()).problems.length > 0);
    expect((await call.state()).problems).toEqual(['not_a_file: "bad" is not a regular file']);
  },
  { needs: ['root'] },
);

row('D8', 'gives every byte as it is', async ({ directory, writer, open }) => {
  const all = Uint8Array.from({ length: 512 }, (_, index) => index % 256);
  await writer.write(directory, { all, nul: new Uint8Array(3), empty: '' });
  const { volume, changes, reaches } = open();
  const reading = await volume.ready();
  expect(reading.bytes('all')).toEqual(all);
  expect(reading.bytes('nul')).toEqual(new Uint8Array(3));
  expect(reading.bytes('empty')).toEqual(new Uint8Array());
  await writer.write(directory, { all, nul: new Uint8Array(4), empty: '' });
  await reaches(2);
  expect(changes[1]).toMatchObject({ added: [], removed: [], modified: ['nul'] });
});

const asUser = ['setpriv', '--reuid=1000', '--regid=1000', '--groups=2000'];

row(
  'D9',
  'says who may not read a file, and recovers',
  async ({ directory, writer, reader }) => {
    await writer.write(directory, { a: '1' }, { mode: 0o400 });
    chmodSync(dirname(directory), 0o755);
    const { call } = reader({ within: asUser });
    await call.open(directory, quickPoll);
    await until(async () => (await call.state()).problems.length > 0);
    const { files, problems } = await call.state();
    expect(files).toBeUndefined();
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^unreadable: "a" cannot be read by uid 1000 with gids 1000,2000 /);
    expect(problems[0]).toContain('(mode 0400, owner 0:0); set fsGroup');
    await writer.write(directory, { a: '2' }, { mode: 0o440, owner: { uid: 0, gid: 2000 } });
    await until(() => call.healthy());
    expect((await call.state()).files).toEqual({ a: '2' });
  },
  { needs: ['root'] },
);

row(
  'D10',
  'accepts a file that only its group may read',
  async ({ directory, writer, reader }) => {
    await writer.write(directory, { a: '1' }, { mode: 0o440, owner: { uid: 0, gid: 2000 } });
    chmodSync(dirname(directory), 0o755);
    const { call } = reader({ within: asUser });
    await call.open(directory, quickPoll);
    await until(() => call.healthy());
    const { files, problems, warnings } = await call.state();
    expect({ files, problems, warnings }).toEqual({ files: { a: '1' }, problems: [], warnings: [] });
  },
  { needs: ['root'] },
);

row('D11', 'tells once of the same bad content, and applies the good', async (scene) => {
  const { directory, writer, open } = scene;
  const parsed: string[] = [];
  await writer.write(directory, { a: 'good' });
  const { volume, problems, looked, reaches } = open({
    parse: (reading) => {
      parsed.push(reading.text('a'));
      if (reading.text('a') === 'bad') throw new VolumeError('"a" is bad');
      return reading;
    },
  });
  await volume.ready();
  for (let times = 0; times < 2; times++) {
    await writer.write(directory, { a: 'bad' }, { always: true });
    await until(() => volume.health.problem !== undefined);
    await looked();
  }
  expect(problems).toEqual([new VolumeError('"a" is bad')]);
  expect(volume.health.rejected).toBe(1);
  await writer.write(directory, { a: 'better' });
  await reaches(2);
  expect(parsed).toEqual(['good', 'bad', 'better']);
  expect(volume.health.problem).toBeUndefined();
});

row('D12', 'repeats nothing of a secret, whatever fails', async ({ directory, writer, open }) => {
  const marker = randomBytes(18).toString('base64');
  await withProcessWarnings(async (warned) => {
    const heard: unknown[] = [];
    const failing: ((reading: Reading) => unknown)[] = [
      (reading) => JSON.parse(reading.text('json')),
      (reading) => reading.json('json'),
      (reading) => reading.text('latin1'),
      (reading) => reading.credentials('missing', 'json'),
      (reading) => {
        throw new Error(reading.text('json'), { cause: reading.text('json') });
      },
      (reading) => {
        throw reading.text('json');
      },
      (reading) => Promise.reject(Object.assign(new TypeError(reading.text('json')), { code: marker })),
    ];
    const payload = (value: string) => ({
      json: `{"key": ${value}`,
      latin1: Buffer.from(`${value}\u00e9\n`, 'latin1'),
      [`line\n`]: `${value}\n`,
    });
    let parse: (reading: Reading) => unknown = (reading) => reading.text('line\n');
    await writer.write(directory, payload(marker));
    const held = open();
    const parsed = open({ parse: (reading) => parse(reading) });
    const limited = open({ limits: { maxFileBytes: 5 } });
    const lacking = open({ required: ['line\n', 'absent'] });
    const all = [held, parsed, limited, lacking] as const;
    for (const { volume } of all) {
      volume.onChange(() => {
        throw new Error(`while using ${marker}`, { cause: marker });
      });
    }
    expect((await held.volume.ready()).text('line\n')).toBe(marker);
    expect(await parsed.volume.ready()).toBe(marker);
    for (const [index, fails] of failing.entries()) {
      parse = fails;
      await writer.write(directory, payload(`${marker}${index}`));
      await until(() => parsed.volume.health.rejected === index + 1);
      heard.push(parsed.volume.health.problem);
    }
    const last = `${marker}${failing.length - 1}`;
    await until(() => held.volume.current?.text('line\n') === last);
    await until(() => limited.problems.length > 0 && lacking.problems.length > 0);
    await until(() => warned.length > 1);

    const details = warned.map((warning) => (warning as { detail?: string }).detail);
    heard.push(...all, ...warned, ...details, held.volume.current, ...held.changes);
    const texts = heard.flatMap((each) => [
      String(each),
      JSON.stringify(each) ?? '',
      inspect(each, { depth: Number.POSITIVE_INFINITY, maxArrayLength: null }),
      each instanceof Error ? `${each.stack}` : '',
      globalThis.Bun?.inspect(each, { depth: 100 }) ?? '',
    ]);
    const closed = inspect(held.volume.current, { showHidden: true, getters: true, depth: 100 });
    const secret = Buffer.from(marker);
    expect([...texts, closed].flatMap((text) => leaks(text, secret))).toEqual([]);
  });
});

row('D13', 'shows one generation to each of 1,000 readers at once', async ({ directory, writer, open }) => {
  await writer.write(directory, { username: '0', password: '0' });
  const { volume } = open({ required: ['username', 'password'] });
  await volume.ready();
  const seen = new Set<string>();
  let torn = 0;
  let storming = true;
  const storm = writer.storm(directory, ['username', 'password'], 1, 200, 20).finally(() => {
    storming = false;
  });
  const use = async () => {
    while (storming) {
      const reading = volume.current;
      const username = reading?.text('username');
      await delay(Math.random() * 200);
      if (username === undefined || username !== reading?.text('password')) torn++;
      else seen.add(username);
    }
  };
  await Promise.all([storm, ...Array.from({ length: 1000 }, use)]);
  await until(() => volume.current?.text('password') === '200');
  expect(torn).toBe(0);
  // On a busy machine not every generation is read.
  expect(seen.size).toBeGreaterThan(5);
});

end();
