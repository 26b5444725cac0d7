/** What a program can do with a volume, beside the scenarios of tables A to D. */

import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import {
  type Change,
  openVolume,
  type Reading,
  type Volume,
  VolumeError,
} from '../../src/secret-volume/index.ts';
import { noPoll, quickPoll, stage, texts, until } from '../support/scenario.ts';

const scene = stage();

const database = { username: 'shop', password: 'p', 'ca.json': '{"pem":[1]}' };

scene('gives text, bytes, JSON and credentials out of one reading', async ({ directory, writer, open }) => {
  await writer.write(directory, { ...database, USER: 'other', PASS: 'q\n' });
  const reading = await open().volume.ready();
  expect(reading.names).toEqual(['PASS', 'USER', 'ca.json', 'password', 'username']);
  expect(reading.has('password')).toBe(true);
  expect(reading.has('toString')).toBe(false);
  expect(reading.text('username')).toBe('shop');
  expect(reading.bytes('username')).toEqual(new Uint8Array(Buffer.from('shop')));
  expect(reading.json('ca.json')).toEqual({ pem: [1] });
  expect(reading.credentials()).toEqual({ username: 'shop', password: 'p' });
  expect(reading.credentials('USER', 'PASS')).toEqual({ username: 'other', password: 'q' });
  expect(reading.readAt).toBeInstanceOf(Date);
});

scene('refuses what a file does not hold, by name and code', async ({ directory, writer, open }) => {
  await writer.write(directory, { latin1: new Uint8Array([0xe9]), broken: '{"secret-value' });
  const reading = await open().volume.ready();
  const refusal = (act: () => unknown) => {
    try {
      return act();
    } catch (error) {
      return error instanceof VolumeError ? error.problems : error;
    }
  };
  const missing = { code: 'missing_file', name: 'absent', message: '"absent" is not in the volume' };
  expect(refusal(() => reading.bytes('absent'))).toEqual([missing]);
  expect(refusal(() => reading.text('absent'))).toEqual([missing]);
  expect(refusal(() => reading.json('absent'))).toEqual([missing]);
  expect(refusal(() => reading.credentials('absent'))).toEqual([missing]);
  expect(refusal(() => reading.text('latin1'))).toEqual([
    {
      code: 'not_text',
      name: 'latin1',
      message: '"latin1" is not UTF-8 text; save it as UTF-8, or read it as bytes',
    },
  ]);
  expect(refusal(() => reading.json('broken'))).toEqual([
    { code: 'not_json', name: 'broken', message: '"broken" is not valid JSON' },
  ]);
});

scene('gives out copies of a published reading', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: 'abc' });
  const reading = await open().volume.ready();
  reading.bytes('a').fill(0);
  expect(reading.text('a')).toBe('abc');
  expect(Object.isFrozen(reading)).toBe(true);
  expect(() => (reading.names as string[]).push('b')).toThrow(TypeError);
});

scene('overwrites the bytes that parse does not keep', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: 'abc' });
  const given: Uint8Array[] = [];
  const readings: Reading[] = [];
  const { volume } = open({
    parse: (reading) => {
      given.push(reading.bytes('a'));
      readings.push(reading);
      if (reading.text('a') === 'bad') throw new VolumeError('bad');
      return reading.text('a');
    },
  });
  await volume.ready();
  await writer.write(directory, { a: 'bad' });
  await until(() => volume.health.rejected === 1);
  expect(given).toEqual([new Uint8Array(3), new Uint8Array(3)]);
  for (const reading of readings) {
    expect(() => reading.bytes('a')).toThrow(
      new TypeError(
        'this reading was overwritten after parse; return the reading itself, or what is needed of it',
      ),
    );
    expect(() => reading.text('a')).toThrow(TypeError);
  }
});

scene('keeps a reading that parse has only checked', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: 'abc' });
  const { volume } = open({
    parse: async (reading) => {
      if (reading.text('a') === '') throw new VolumeError('"a" is blank');
      return reading;
    },
  });
  expect((await volume.ready()).text('a')).toBe('abc');
  expect(volume.current?.text('a')).toBe('abc');
});

scene('names every required file that is missing or empty', async ({ directory, writer, open }) => {
  await writer.write(directory, { username: 'shop', password: '', other: 'x' });
  const { volume, problems } = open({ required: ['username', 'password', 'host'], optional: ['port'] });
  await until(() => problems.length > 0);
  expect(problems[0]?.problems).toEqual([
    { code: 'empty_file', name: 'password', message: '"password" is required and empty' },
    { code: 'missing_file', name: 'host', message: '"host" is required and not in the volume' },
  ]);
  expect(volume.current).toBeUndefined();
  await writer.write(directory, { username: 'shop', password: 'p', host: 'h', other: 'y' });
  expect((await volume.ready()).names).toEqual(['host', 'password', 'username']);
  await writer.write(directory, { username: 'shop', password: 'p', host: 'h', port: '1' });
  await until(() => volume.health.generation === 2);
  expect(volume.current?.has('port')).toBe(true);
});

scene('follows files that may all be missing', async ({ directory, writer, open }) => {
  await writer.write(directory, { other: 'x' });
  const { volume, codes, reaches } = open({ optional: ['token'] });
  expect(texts(await volume.ready())).toEqual({});
  await writer.write(directory, { token: 't' });
  await reaches(2);
  expect(texts(await volume.ready())).toEqual({ token: 't' });
  await writer.write(directory, { other: 'y' });
  await reaches(3);
  expect(texts(await volume.ready())).toEqual({});
  expect(codes()).toEqual([]);
});

scene(
  'says that a problem is over when the content is as it was, or becomes another',
  async ({ directory, writer, open }) => {
    await writer.write(directory, { a: '1' });
    const given: string[] = [];
    const { volume, problems } = open({
      parse: (reading) => {
        given.push(reading.text('a'));
        if (reading.text('a') === 'bad') throw new VolumeError('"a" is bad');
        return given.at(-1);
      },
    });
    await volume.ready();
    const changes: Change[] = [];
    let recoveries = 0;
    volume.onChange((change) => changes.push(change));
    volume.onRecovery(() => recoveries++);
    await writer.write(directory, { a: 'bad' });
    await until(() => problems.length === 1);
    await writer.write(directory, { a: '1' });
    await until(() => recoveries === 1);
    expect(volume.health.problem).toBeUndefined();
    expect(given).toEqual(['1', 'bad']);
    expect(volume.current).toBe('1');
    expect(volume.health).toMatchObject({ generation: 1, rejected: 1 });
    expect(changes).toEqual([]);
    await writer.write(directory, { a: '2' });
    await until(() => volume.current === '2');
    expect(changes).toEqual([{ generation: 2, added: [], removed: [], modified: ['a'] }]);
    await writer.write(directory, { a: 'bad' });
    await until(() => problems.length === 2);
    await writer.write(directory, { a: '3' });
    await until(() => volume.current === '3');
    expect(recoveries).toBe(2);
  },
);

scene(
  'tells an empty directory from one in which no file is selected',
  async ({ directory, writer, open }) => {
    await writer.write(directory, {});
    const { volume, problems } = open({ optional: [], parse: ({ others }) => others });
    await until(() => problems.length === 1);
    expect(problems[0]?.problems).toEqual([expect.objectContaining({ code: 'empty' })]);
    await writer.write(directory, { other: '1' });
    await until(() => volume.health.problem === undefined);
    expect(volume.current).toEqual(['other']);
    await writer.write(directory, {});
    await until(() => problems.length === 2);
    await writer.write(directory, { 'sub/key': '1' });
    await until(() => volume.health.problem === undefined);
  },
);

scene('selects in place of what was required', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: '1', b: '2' });
  const { volume, problems } = open({ required: ['a'], parse: ({ names }) => names });
  await volume.ready();
  await volume.select((path) => path === 'b');
  expect([volume.current, problems]).toEqual([['b'], []]);
});

scene('reads what is selected, and opens nothing else', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: '1', b: '2', 'c/d': '3', 'c/e': '4', f: 'x'.repeat(100) });
  const { volume, problems } = open({
    optional: [],
    limits: { maxFileBytes: 50 },
    parse: ({ names, others }) => ({ names, others }),
  });
  await volume.ready();
  expect(volume.current).toEqual({ names: [], others: expect.arrayContaining(['a', 'b', 'f']) });
  await volume.select((path) => path === 'a' || path.startsWith('c'));
  expect(volume.current).toEqual({ names: ['a', 'c/d', 'c/e'], others: expect.arrayContaining(['b', 'f']) });
  await volume.select((path, isDirectory) => (isDirectory ? path === 'c' : path === 'c/d'));
  expect(volume.current).toMatchObject({ names: ['c/d'] });
  expect(problems).toEqual([]);
  await volume.select(undefined);
  expect(volume.health.problem?.message).toContain('"f" is over 50 bytes');
  // A look at an unchanged volume does not take the problem for solved.
  const { lastAttempt } = volume.health;
  await until(() => volume.health.lastAttempt !== lastAttempt);
  expect(volume.health.problem?.message).toContain('"f" is over 50 bytes');
  expect(volume.current).toMatchObject({ names: ['c/d'] });
});

scene('iterates over what is there and then over its changes', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: '1' });
  const { volume } = open();
  const seen: Change[] = [];
  const values: unknown[] = [];
  const loop = (async () => {
    for await (const change of volume) {
      seen.push(change);
      values.push(volume.current?.text('a'));
    }
    return 'ended';
  })();
  await until(() => seen.length === 1);
  await writer.write(directory, { a: '2', b: '2' });
  await until(() => seen.length === 2);
  await volume.close();
  expect(await loop).toBe('ended');
  expect(seen).toEqual([
    { generation: 1, added: ['a'], removed: [], modified: [] },
    { generation: 2, added: ['b'], removed: [], modified: ['a'] },
  ]);
  expect(values).toEqual(['1', '2']);
  for await (const change of volume) expect(change).toBe('none after close');
});

scene('gives a slow iteration several changes as one', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: '1', gone: '1' });
  const { volume, reaches } = open(noPoll);
  await volume.ready();
  const slow = volume[Symbol.asyncIterator]();
  const quick = volume[Symbol.asyncIterator]();
  for (const iterator of [slow, quick]) expect((await iterator.next()).value?.generation).toBe(1);
  const steps = [
    { a: '2', gone: '1', brief: 'x' },
    { a: '3', gone: '1' },
    { a: '3', fresh: '1' },
  ];
  for (const [index, payload] of steps.entries()) {
    await writer.write(directory, payload);
    await reaches(index + 2);
    expect((await quick.next()).value?.generation).toBe(index + 2);
  }
  expect((await slow.next()).value).toEqual({
    generation: 4,
    added: ['fresh'],
    removed: ['gone'],
    modified: ['a'],
  });
  await writer.write(directory, { a: '4' });
  await reaches(5);
  await writer.write(directory, { a: '3', fresh: '1' });
  await reaches(6);
  // Undone, so there is nothing to tell; and an iteration that waits ends with the volume.
  const waiting = slow.next();
  await volume.close();
  expect(await waiting).toEqual({ value: undefined, done: true });
});

scene('tells a late subscriber of the present problem and the warnings', async (it) => {
  const { directory, writer, open } = it;
  await writer.fs('mkdirSync', directory);
  const { volume, problems, warnings } = open(quickPoll);
  await until(() => problems.length > 0);
  const late: unknown[] = [];
  const unsubscribe = [
    volume.onProblem((problem) => late.push(problem)),
    volume.onWarning((warning) => late.push(warning)),
  ];
  await until(() => late.length === problems.length + warnings.length);
  expect(late).toEqual([...problems, ...warnings]);
  for (const end of unsubscribe) end();
  await writer.fs('writeFileSync', join(directory, 'a'), '1\n');
  (await volume.ready()).text('a');
  await until(() => warnings.some(({ code }) => code === 'trailing_newline'));
  expect(late).toHaveLength(problems.length + 1);
});

scene('takes up a rejected reading again when told to', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: '1' });
  let accepts = false;
  const { volume, problems, looked } = open({
    parse: (reading) => {
      if (!accepts) throw new VolumeError('not yet');
      return reading.text('a');
    },
  });
  await until(() => problems.length > 0);
  await looked();
  expect(volume.health.rejected).toBe(1);
  accepts = true;
  volume.refresh();
  expect(await volume.ready()).toBe('1');
  expect(volume.health.problem).toBeUndefined();
});

scene('has no first value once it is closed, or no longer waited for', async ({ open }) => {
  const { volume } = open();
  const reason = new Error('took too long');
  await expect(volume.ready(AbortSignal.abort(reason))).rejects.toBe(reason);
  const controller = new AbortController();
  const waiting = volume.ready(controller.signal);
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  await volume.close();
  await expect(volume.ready()).rejects.toThrow('was closed before it was ready');
});

scene('reports its health as a snapshot', async ({ directory, writer, open }) => {
  const { volume, looked } = open({ watch: false });
  await looked();
  expect(volume.health).toMatchObject({
    generation: 0,
    layout: undefined,
    lastSuccess: undefined,
    watcher: 'off',
    watcherRestarts: 0,
    rescuedByPoll: 0,
    rejected: 0,
  });
  expect(volume.health.problem?.problems[0]?.code).toBe('missing');
  await writer.write(directory, { a: '1' });
  await volume.ready();
  const before = volume.health;
  expect(before).toMatchObject({ problem: undefined, generation: 1, layout: 'atomic' });
  await looked();
  const after = volume.health;
  for (const key of ['lastAttempt', 'lastSuccess'] as const) {
    expect(after[key]?.getTime()).toBeGreaterThan(before[key]?.getTime() ?? Number.POSITIVE_INFINITY);
  }
  expect(Object.isFrozen(after)).toBe(true);
});

scene('has the layout of what was read, not of what was found', async ({ directory, writer, open }) => {
  await writer.fs('mkdirSync', directory);
  const { volume, codes, warnings } = open({ watch: false });
  await until(() => codes().includes('empty'));
  const { lastAttempt } = volume.health;
  volume.refresh();
  // An empty directory counts as plain, so it is read when it has not changed for a moment. It is filled meanwhile.
  await until(() => volume.health.lastAttempt !== lastAttempt);
  await writer.write(directory, { a: '1' });
  expect((await volume.ready()).layout).toBe('atomic');
  expect(volume.health).toMatchObject({ generation: 1, layout: 'atomic' });
  expect(warnings.map(({ code }) => code)).toContain('layout_changed');
});

scene('shows no value when it is inspected', async ({ directory, writer, open }) => {
  await writer.write(directory, { username: 'shop', password: 'visible-secret' });
  const { volume } = open({ parse: (reading) => reading.credentials() });
  expect(await volume.ready()).toEqual({ username: 'shop', password: 'visible-secret' });
  expect(Object.keys(volume)).not.toContain('current');
  const shown = inspect(volume, { depth: 10, getters: true }) + JSON.stringify(volume);
  expect(shown).toContain(directory);
  expect(shown).not.toContain('visible-secret');
});

scene('points at a secret volume that lies within another', async ({ directory, writer, open }) => {
  await writer.write(join(directory, 'inner'), { a: '1' });
  const { volume, problems } = open();
  await until(() => problems.length > 0);
  expect(volume.health.problem?.problems).toEqual([
    {
      code: 'bad_layout',
      name: 'inner/..data',
      message: '"inner/..data" belongs to a secret volume within this one; open that directory on its own',
    },
  ]);
});

scene('refuses a hostile directory quickly and in little memory', async (it) => {
  const { directory, elsewhere, writer, open } = it;
  await writer.write(directory, { a: '1' });
  await writer.fs('truncateSync', join(directory, '..data', 'a'), 5 * 2 ** 30);
  const sparse = open();
  await until(() => sparse.problems.length > 0);
  expect(sparse.codes()).toEqual(['too_large']);

  await writer.fill(elsewhere, 100_000);
  const crowded = openVolume(elsewhere, noPoll);
  const codes: string[] = [];
  crowded.onProblem(({ problems }) => codes.push(...problems.map(({ code }) => code)));
  await until(() => codes.length > 0);
  await crowded.close();
  expect(codes).toEqual(['too_many_files']);
});

scene(
  'says that an overlay does not report every change',
  async ({ directory, elsewhere, writer, reader }) => {
    for (const name of ['upper', 'work']) await writer.fs('mkdirSync', join(elsewhere, name));
    await writer.fs('mkdirSync', join(elsewhere, 'upper', 'with space'));
    await writer.fs('mkdirSync', directory);
    await writer.write(join(elsewhere, 'upper', 'with space'), { a: '1' });
    const { call } = reader({ within: ['unshare', '-m'] });
    const layers = `lowerdir=${directory},upperdir=${join(elsewhere, 'upper')},workdir=${join(elsewhere, 'work')}`;
    await call.exec('mount', '-t', 'overlay', 'overlay', '-o', layers, directory);
    const volume = join(directory, 'with space');
    await call.open(volume, quickPoll);
    await until(() => call.healthy());
    expect((await call.state()).warnings).toEqual([
      {
        code: 'unreliable_events',
        message: `${volume} is on overlay, which does not report every change; the poll finds them`,
      },
    ]);
  },
  { needs: ['mount namespaces'] },
);

scene('says that plain files are not swapped together', async ({ directory, writer, open }) => {
  await writer.fs('mkdirSync', directory);
  await writer.fs('writeFileSync', join(directory, 'a'), '1');
  const { volume, warnings } = open();
  await volume.ready();
  expect(warnings.map(({ code }) => code)).toEqual(['plain_layout']);
});

scene('reads plain files anew now and then, as coarse time stamps can hide a change', async (it) => {
  const { directory, writer, reader } = it;
  const size = 2 ** 20;
  await writer.fs('mkdirSync', directory);
  await writer.fs('writeFileSync', join(directory, 'a'), 'x'.repeat(size));
  const { call } = reader();
  await call.open(directory, { pollIntervalMs: 20, watch: false });
  await until(() => call.healthy());
  const { readBytes } = await call.resources();
  await until(async () => (await call.resources()).readBytes - readBytes > size);
  expect((await call.state()).changes).toHaveLength(1);
});

test('refuses intervals and limits that make no sense', () => {
  for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
    expect(() => openVolume('/nowhere', { pollIntervalMs: value })).toThrow(
      new RangeError('"pollIntervalMs" must be a positive number below 2^31'),
    );
    expect(() => openVolume('/nowhere', { limits: { maxFiles: value } })).toThrow(RangeError);
  }
});

test('has the type of what parse returns', async () => {
  const parsed = openVolume('/nowhere', { parse: (reading) => reading.names.length });
  const plain = openVolume('/nowhere', { required: ['a'] });
  const typed: [Volume<number>, Volume<Reading>] = [parsed, plain];
  // @ts-expect-error a value of another type
  const wrong: Volume<string> = parsed;
  // @ts-expect-error no value without parse but a reading
  const unparsed: Volume<string> = openVolume<string>('/nowhere', {});
  for (const volume of [...typed, wrong, unparsed]) await volume.close();
  expect(typed.map(({ directory }) => directory)).toEqual(['/nowhere', '/nowhere']);
});
