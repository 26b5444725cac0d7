/** What the binary logs in a life with every kind of trouble: each line is one of those that the table of the code lists. */

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { logEvents } from '../../src/ops/log-events.ts';
import { writeVolume } from '../support/atomic-writer.ts';
import { leaksOfAny } from '../support/leaks.ts';
import { type Signer, startSigner, temporaryDirectory, waitFor } from '../support/signer.ts';

type Line = Readonly<Record<string, unknown>> & { readonly level: string; readonly msg: string };

const directory = temporaryDirectory();
afterAll(() => directory[Symbol.dispose]());

const events = Object.entries(logEvents).flatMap(([level, byMessage]) =>
  Object.entries(byMessage).map(([message, fields]) => ({
    level,
    message,
    fields: Object.entries(fields as Readonly<Record<string, string>>),
    pattern: new RegExp(`^${message.split('…').map(RegExp.escape).join('.*')}$`),
  })),
);

const canLimit = spawnSync('unshare', ['-Ur', 'true']).status === 0;
/** These need a user namespace of their own, in which there can be no watch. */
const ofTheWatcher = [
  'no events report changes here; the poll finds them',
  'the problem with the events is over',
];

/** These need a mount, a disk that is full for a while, another system, or a bug. */
const elsewhere = [
  '… is a … mount …',
  '… does not report every change; the poll finds them',
  'the audit is written again',
  'the audit goes on in the file that was renamed',
  'the audit is beside the configuration, which is read again with each of its lines',
  'the process could not be hardened on this system: core dumps, memory access or the limit of descriptors',
  'a request failed because of a bug in the signer',
  'stopping because of a bug in the signer',
  ...(canLimit ? [] : ofTheWatcher),
];

const seen = new Set<string>();
const secrets: Buffer[] = [];

const newKey = () => {
  const key = randomBytes(32);
  secrets.push(key);
  return key.toString('hex');
};

const linesOf = (signer: Signer): readonly Line[] =>
  signer
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line);

/** Waits for another line with this text. */
async function next(signer: Signer, text: string, act: () => unknown): Promise<void> {
  const found = () => linesOf(signer).filter(({ msg }) => msg.includes(text)).length;
  const before = found();
  await act();
  await waitFor(() => (found() > before ? true : undefined));
}

/** Ends the signer and compares all its lines with the table. */
async function check(signer: Signer): Promise<void> {
  await signer.stop();
  const lines = linesOf(signer);
  for (const { level, msg, time, ...fields } of lines) {
    const event = events.find((each) => each.level === level && each.pattern.test(msg));
    expect([msg, event?.level]).toEqual([msg, level]);
    seen.add(`${level} ${event?.message}`);
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const types = Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [name, Array.isArray(value) ? 'list' : typeof value]),
    );
    const typeOf = (type: string) => type.replace('text', 'string').replace('?', '');
    const expected = (event?.fields ?? []).filter(([name, type]) => !type.endsWith('?') || name in types);
    expect([msg, types]).toEqual([
      msg,
      Object.fromEntries(expected.map(([name, type]) => [name, typeOf(type)])),
    ]);
  }
  expect(leaksOfAny(signer.output(), secrets)).toEqual([]);
}

it('has its lines when keys and configuration change, are wrong, and are right again', async () => {
  const path = join(directory.path, 'a');
  mkdirSync(path);
  const [keys, config, audit] = ['keys', 'config', 'audit'].map((name) => join(path, name)) as [
    string,
    string,
    string,
  ];
  const configure = (yaml: string) => writeVolume(config, { 'signer.yaml': yaml });
  const good = 'keys: { orders: { encoding: hex, alsoVerify: [orders.previous] } }';
  writeVolume(keys, { orders: 'not hex' });
  configure('keys: { orders: { format: no } }');
  writeFileSync(audit, '{"audit":1,');
  const flags = ['--keys', keys, '--config', join(config, 'signer.yaml'), '--audit', audit];
  const sockets = ['--socket', `web=${join(path, 'web')}`];
  await using signer = await startSigner([...flags, ...sockets, '--log-level', 'debug']);
  await waitFor(() => (signer.output().includes('configuration not loaded: not ready') ? true : undefined));
  await next(signer, 'keys not loaded: not ready', () => configure(good));
  await next(signer, 'the problem with the keys is over', () => writeVolume(keys, { orders: newKey() }));
  await signer.ready();
  await signer.call('/v1/keys/orders/sign', { message: 'hello' });
  await signer.call('/v1/keys/orders/sign', { message: 'hello' }, { headers: { origin: 'http://a' } });
  await next(signer, 'the last good keys stay', () => writeVolume(keys, { orders: 'not hex' }));
  await next(signer, 'the problem with the keys is over', () => writeVolume(keys, { orders: newKey() }));
  await next(signer, 'the last good configuration stays', () => configure('keys: 5'));
  await next(signer, 'the problem with the configuration is over', () => configure(good));
  await next(signer, 'opened anew', async () => {
    renameSync(audit, `${audit}.1`);
    // With the next line; at the latest a second later without the signal.
    signer.process.kill('SIGHUP');
    await signer.call('/v1/keys/orders/sign', { message: 'hello' });
  });
  await check(signer);
});

it('has its lines for warnings, and for an audit that cannot be written', async () => {
  const path = join(directory.path, 'b');
  const [keys, more, config] = ['keys', 'more', 'config'].map((name) => join(path, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(keys, { recursive: true });
  writeVolume(more, { other: newKey() });
  writeFileSync(join(keys, 'orders'), 'hunter2');
  const weak = 'orders: { encoding: text, allowWeakKey: true }';
  writeVolume(config, {
    'signer.yaml': `keys: { ${weak}, other: { encoding: hex }, out: { env: "NO NAME" } }`,
  });
  const flags = ['--keys', keys, '--keys', more, '--config', join(config, 'signer.yaml')];
  for (const choice of ['refuse', 'continue']) {
    const failing = ['--audit', '/dev/full', '--audit-on-failure', choice];
    await using signer = await startSigner([...flags, ...failing]);
    await signer.ready();
    await next(signer, 'the audit cannot be written', () =>
      signer.call('/v1/keys/orders/sign', { message: 'hello' }),
    );
    if (choice === 'continue') {
      await next(signer, 'changed from', () => {
        rmSync(keys, { recursive: true });
        writeVolume(keys, { orders: 'hunter2' });
      });
    }
    await check(signer);
  }
});

it('has its lines when the keys come after the configuration', async () => {
  const path = join(directory.path, 'c');
  mkdirSync(path);
  const [keys, config] = ['keys', 'config'].map((name) => join(path, name)) as [string, string];
  writeVolume(config, { 'signer.yaml': 'keys: { orders: { encoding: hex } }' });
  await using signer = await startSigner(['--keys', keys, '--config', join(config, 'signer.yaml')]);
  await waitFor(() => (signer.output().includes('waiting for the directories') ? true : undefined));
  await next(signer, 'keys loaded', () => writeVolume(keys, { orders: newKey() }));
  await check(signer);
});

it('has its lines when one of two directories comes late', async () => {
  const path = join(directory.path, 'd');
  mkdirSync(path);
  const [first, second] = ['first', 'second'].map((name) => join(path, name)) as [string, string];
  writeVolume(second, { orders: newKey() });
  await using signer = await startSigner(['--keys', first, '--keys', second]);
  await waitFor(() => (signer.output().includes('waiting for the other') ? true : undefined));
  await next(signer, 'keys loaded', () => writeVolume(first, { session: randomBytes(32) }));
  await check(signer);
});

const withoutNamespaces = canLimit ? '' : ' (skipped: no user namespace can be made here)';
it.skipIf(!canLimit)(
  `says when only the poll finds changes, and when that is over${withoutNamespaces}`,
  async () => {
    const path = join(directory.path, 'e');
    mkdirSync(path);
    const [keys, config, limit] = ['keys', 'config', 'limit'].map((name) => join(path, name)) as [
      string,
      string,
      string,
    ];
    writeVolume(keys, { orders: newKey() });
    writeVolume(config, { 'signer.yaml': 'keys: { orders: { encoding: hex } }' });
    // Only a process of the namespace may set its limit, so one waits there for the word to raise it.
    const script = `echo 0 > /proc/sys/user/max_inotify_instances
    mkfifo ${limit}
    { cat ${limit} > /proc/sys/user/max_inotify_instances; } &
    exec "$@"`;
    const flags = ['--keys', keys, '--config', join(config, 'signer.yaml')];
    await using signer = await startSigner(
      flags,
      {},
      { wrapper: ['unshare', '-Ur', 'sh', '-c', script, 'sh'] },
    );
    const [down, over] = ofTheWatcher as [string, string];
    const told = (message: string) => linesOf(signer).filter(({ msg }) => msg === message);
    await waitFor(() => told(down).length === 2 || undefined);
    await next(signer, 'keys loaded', () => writeVolume(keys, { orders: newKey() }));
    expect(told(over)).toEqual([]);
    writeFileSync(limit, '128');
    await waitFor(() => told(over).length === 2 || undefined);
    expect(
      told(down)
        .map(({ directory: of }) => of)
        .sort(),
    ).toEqual([config, keys].sort());
    await check(signer);
  },
);

it('says when a replaced key has ended, whether its time is over or is made shorter', async () => {
  const path = join(directory.path, 'f');
  mkdirSync(path);
  const [keys, config] = ['keys', 'config'].map((name) => join(path, name)) as [string, string];
  const configure = (seconds: number) =>
    writeVolume(config, {
      'signer.yaml': `keys: { orders: { encoding: hex, retainPreviousSeconds: ${seconds} } }`,
    });
  configure(2);
  writeVolume(keys, { orders: newKey() });
  await using signer = await startSigner(['--keys', keys, '--config', join(config, 'signer.yaml')]);
  await signer.ready();
  const sign = async () =>
    (await (await signer.call('/v1/keys/orders/sign', { message: 'm' })).json()) as {
      keyId: string;
      signature: string;
    };
  const isValid = async ({ signature }: { signature: string }) => {
    const answer = await signer.call('/v1/keys/orders/verify', { message: 'm', signature });
    return ((await answer.json()) as { valid: boolean }).valid;
  };
  const ended = 'replaced keys do not verify any more';
  const rotate = async () => {
    const signed = await sign();
    await next(signer, 'keys loaded', () => writeVolume(keys, { orders: newKey() }));
    return signed;
  };
  const first = await rotate();
  expect(await isValid(first)).toBe(true);
  await waitFor(() => signer.output().includes(ended) || undefined);
  expect(await isValid(first)).toBe(false);
  configure(3600);
  await waitFor(() => signer.output().match(/configuration loaded/g)?.length === 2 || undefined);
  const [second, third] = [await rotate(), await rotate()];
  expect([await isValid(second), await isValid(third)]).toEqual([true, true]);
  await next(signer, ended, () => configure(0));
  expect([await isValid(second), await isValid(third)]).toEqual([false, false]);
  const told = linesOf(signer).filter(({ msg }) => msg === ended);
  expect(told.map(({ key, ended: ids }) => [key, ids])).toEqual([
    ['orders', [first.keyId]],
    ['orders', [third.keyId, second.keyId]],
  ]);
  await check(signer);
});

it('has each warning once, of however many directories the keys come', async () => {
  const path = join(directory.path, 'g');
  mkdirSync(path);
  // The configuration is in one of them.
  writeFileSync(join(path, 'orders'), 'hunter2');
  writeFileSync(join(path, 'signer.yaml'), 'keys: { orders: { encoding: text, allowWeakKey: true } }');
  const more = join(directory.path, 'g2');
  writeVolume(more, { other: newKey() });
  const flags = ['--keys', path, '--keys', more, '--config', join(path, 'signer.yaml')];
  await using signer = await startSigner(flags);
  await signer.ready();
  const told = (text: string) => linesOf(signer).filter(({ msg }) => msg.includes(text)).length;
  await expect.poll(() => [told('weak key'), told('has plain files')]).toEqual([1, 1]);
  // The warning comes after the line that the keys are loaded.
  await next(signer, 'weak key', () => writeFileSync(join(path, 'orders'), 'hunter3'));
  expect([told('weak key'), told('has plain files')]).toEqual([2, 1]);
  await check(signer);
});

it('has shown every line but those that cannot happen here', () => {
  const missing = events.filter(({ level, message }) => !seen.has(`${level} ${message}`));
  expect(missing.map(({ message }) => message).sort()).toEqual([...elsewhere].sort());
});
