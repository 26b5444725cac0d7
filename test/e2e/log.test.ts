/** The log of `serve`, line by line: its format, solved problems, key ids, and requests at debug level. */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { keyId } from '../../src/signing/mac.ts';
import { writeVolume } from '../support/atomic-writer.ts';
import { leaks } from '../support/leaks.ts';
import { isRoot } from '../support/process.ts';
import {
  binary,
  type Signer,
  type StartOptions,
  startSigner,
  temporaryDirectory,
  waitFor,
} from '../support/signer.ts';
import { hasTerminal, onTerminal } from '../support/terminal.ts';

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

const bytes = randomBytes(32);
const key = bytes.toString('hex');
const id = keyId(bytes);
const directory = temporaryDirectory();
chmodSync(directory.path, 0o755);
afterAll(() => directory[Symbol.dispose]());

let count = 0;
/** A mounted Secret and a mounted ConfigMap, and the flags that name them. */
function mounts(keys: Readonly<Record<string, string>>, config: string) {
  const path = join(directory.path, `${count++}`);
  const [keyDirectory, configDirectory] = [join(path, 'keys'), join(path, 'config')];
  const file = join(configDirectory, 'signer.yaml');
  const put = (content: Readonly<Record<string, string>>) => void writeVolume(keyDirectory, content);
  const configure = (yaml: string) => void writeVolume(configDirectory, { 'signer.yaml': yaml });
  mkdirSync(path);
  put(keys);
  configure(config);
  return { path, keyDirectory, file, put, configure, args: ['--keys', keyDirectory, '--config', file] };
}

const linesOf = (signer: Signer): readonly Line[] =>
  signer
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line);

/** Waits until there is another line with this message, and returns the newest. */
async function next(signer: Signer, msg: string, act: () => unknown): Promise<Line> {
  const found = () => linesOf(signer).filter((line) => line.msg === msg);
  const before = found().length;
  await act();
  return waitFor(() => found()[before]);
}

const plain = 'keys: { orders: { encoding: hex } }';

describe('a problem that is over', () => {
  const solved = 'the problem with the keys is over';
  const solvedConfiguration = 'the problem with the configuration is over';
  const kept = 'keys not loaded: the last good keys stay in use';
  const keptConfiguration = 'configuration not loaded: the last good configuration stays in use';

  it.each([
    ['another good key', randomBytes(32).toString('hex')],
    ['exactly the old content', key],
  ])('has a line when a bad key is replaced by %s', async (_, good) => {
    const { put, keyDirectory, args } = mounts({ orders: key }, plain);
    await using signer = await startSigner(args);
    await signer.ready();
    await next(signer, kept, () => put({ orders: 'not hex' }));
    const line = await next(signer, solved, () => put({ orders: good }));
    expect(line).toEqual({ level: 'info', time: line['time'], directory: keyDirectory, msg: solved });
    expect(linesOf(signer).filter(({ msg }) => msg === solved)).toHaveLength(1);
  });

  it.each([
    ['another good one', 'keys: { orders: { encoding: hex, allow: [sign] } }'],
    ['exactly the old one', plain],
  ])('has a line when a bad configuration is replaced by %s', async (_, good) => {
    const { configure, file, args } = mounts({ orders: key }, plain);
    await using signer = await startSigner(args);
    await signer.ready();
    const refused = await next(signer, keptConfiguration, () =>
      configure('keys: { orders: { format: no } }'),
    );
    expect(refused).toMatchObject({ level: 'warn', file });
    expect(refused['problems']).toEqual([expect.stringContaining(`${file}: keys.orders.format`)]);
    expect(refused).not.toHaveProperty('directory');
    const line = await next(signer, solvedConfiguration, () => configure(good));
    expect(line).toEqual({ level: 'info', time: line['time'], file, msg: solvedConfiguration });
    expect(linesOf(signer).filter(({ msg }) => /^keys not/.test(msg))).toEqual([]);
  });

  it('has a line when the configuration no longer names the file that was refused', async () => {
    const { put, configure, args } = mounts({ orders: key }, plain);
    await using signer = await startSigner(args);
    await signer.ready();
    const more = 'keys: { orders: { encoding: hex }, other: { encoding: hex } }';
    configure(more);
    put({ orders: key, other: 'not hex' });
    await waitFor(() => linesOf(signer).find(({ level }) => level === 'warn'));
    configure(plain);
    const line = await waitFor(() => linesOf(signer).find(({ msg }) => / is over$/.test(msg)));
    expect(line.level).toBe('info');
  });

  it('has a line when the directory is there again', async () => {
    const { keyDirectory, args } = mounts({ orders: key }, plain);
    await using signer = await startSigner(args);
    await signer.ready();
    await next(signer, kept, () => renameSync(keyDirectory, `${keyDirectory}.away`));
    const line = await next(signer, solved, () => renameSync(`${keyDirectory}.away`, keyDirectory));
    expect(line).toMatchObject({ level: 'info', directory: keyDirectory });
  });

  it('has a line when the directory can be read again', async () => {
    const { keyDirectory, args } = mounts({ orders: key }, plain);
    // Root can read everything.
    const other: StartOptions = isRoot ? { uid: 65534, gid: 65534 } : {};
    if (isRoot) chownSync(keyDirectory, 65534, 65534);
    await using signer = await startSigner(args, {}, other);
    await signer.ready();
    await next(signer, kept, () => chmodSync(keyDirectory, 0));
    const line = await next(signer, solved, () => chmodSync(keyDirectory, 0o755));
    expect(line).toMatchObject({ level: 'info', directory: keyDirectory });
  });

  it('has a line after a start without keys, and none where there was no problem', async () => {
    const { put, keyDirectory, args } = mounts({ orders: 'not hex' }, plain);
    await using signer = await startSigner(args);
    await waitFor(() => linesOf(signer).find(({ msg }) => msg === 'keys not loaded: not ready'));
    await next(signer, solved, () => put({ orders: key }));
    await signer.ready();
    const rotated = await next(signer, 'keys loaded', () => put({ orders: randomBytes(32).toString('hex') }));
    expect(rotated).toMatchObject({ directory: keyDirectory, modified: ['orders'] });
    expect(linesOf(signer).filter(({ msg }) => / is over$/.test(msg))).toHaveLength(1);
  });
});

describe('what is loaded', () => {
  it('comes with the version first, and with the ids of the keys', async () => {
    const { put, keyDirectory, file, args } = mounts({ orders: key }, plain);
    await using signer = await startSigner(args);
    await signer.ready();
    const loaded = await waitFor(() => linesOf(signer).find(({ msg }) => msg === 'keys loaded'));
    expect(linesOf(signer)[0]).toMatchObject({ msg: 'starting', version: packageJson.version });
    expect(loaded).toMatchObject({ directory: keyDirectory, generation: 1, keys: [`orders ${id}`] });
    const configured = await waitFor(() => linesOf(signer).find(({ msg }) => msg === 'configuration loaded'));
    expect(configured).toMatchObject({ file, generation: 1, keys: [`orders ${id}`] });
    const another = randomBytes(32);
    const rotated = await next(signer, 'keys loaded', () => put({ orders: another.toString('hex') }));
    expect(rotated['keys']).toEqual([`orders ${keyId(another)}, also verifies ${id}`]);
    expect(leaks(signer.output(), bytes)).toEqual([]);
  });

  it('is a short line however many key sets and keys there are, and says how many more', async () => {
    const files = Array.from({ length: 999 }, (_, index): [string, string] => [
      `k${`${index}`.padStart(3, '0')}`,
      randomBytes(32).toString('hex'),
    ]);
    const jwks = Array.from({ length: 9 }, (_, index) => ({
      kty: 'oct',
      kid: `2026-0${index + 1}`,
      k: randomBytes(32).toString('base64url'),
    }));
    const set = JSON.stringify({ primary: '2026-03', keys: jwks });
    const entries = files.map(([name]) => `  ${name}: { encoding: hex }`).join('\n');
    const yaml = `keys:\n  a: { file: a.jwks.json }\n${entries}\n`;
    const { args } = mounts({ 'a.jwks.json': set, ...Object.fromEntries(files) }, yaml);
    await using signer = await startSigner(args);
    await signer.ready();
    const loaded = await waitFor(() => linesOf(signer).find(({ msg }) => msg === 'configuration loaded'));
    const listed = loaded['keys'] as readonly string[];
    expect(listed).toHaveLength(21);
    expect(listed[0]).toBe(
      'a 2026-03, also verifies 2026-01, 2026-02, 2026-04, 2026-05, 2026-06, and 3 more',
    );
    expect(listed[20]).toBe('and 980 more');
  });

  it('leaves out an id as long as a key, which may be a key in the place of its id', async () => {
    const kid = randomBytes(32).toString('base64url');
    const k = Buffer.from('orders-2026-primary-key').toString('base64url');
    const set = JSON.stringify({ primary: kid, keys: [{ kty: 'oct', kid, k }] });
    const { args } = mounts({ 'a.jwks.json': set }, 'keys: { a: { file: a.jwks.json, allowWeakKey: true } }');
    await using signer = await startSigner(args);
    await signer.ready();
    const loaded = await waitFor(() => linesOf(signer).find(({ msg }) => msg === 'keys loaded'));
    expect(loaded['keys']).toEqual(['a (an id of 43 characters)']);
    expect(signer.output()).not.toContain(kid);
  });
});

describe('at debug level', () => {
  const debug = ['--log-level', 'debug'];
  const requestsOf = (signer: Signer) => linesOf(signer).filter(({ msg }) => msg === 'request');

  it('each request has one line: caller, key set, operation, bytes, status and duration', async () => {
    const { path, args } = mounts({ orders: key }, plain);
    const socketPath = join(path, 's');
    await using signer = await startSigner([...args, ...debug, '--socket', socketPath]);
    await signer.ready();
    const message = `message-${randomBytes(8).toString('hex')}`;
    const body = JSON.stringify({ message });
    const signed = (await (await signer.call('/v1/keys/orders/sign', { message })).json()) as {
      signature: string;
    };
    await signer.call('/v1/keys/orders/verify-batch', { items: [] });
    await overSocket(socketPath, '/v1/keys/orders/sign', body);
    await signer.call('/v1/keys');
    await waitFor(() => (requestsOf(signer).length === 4 ? true : undefined));
    const [first, ...others] = requestsOf(signer);
    expect(first).toEqual({
      level: 'debug',
      time: expect.any(String),
      caller: 'tcp',
      keySet: 'orders',
      operation: 'sign',
      bytes: body.length,
      status: 200,
      durationMs: expect.any(Number),
      msg: 'request',
    });
    expect(first?.['durationMs']).toBeGreaterThan(0);
    expect(others).toMatchObject([
      { caller: 'tcp', keySet: 'orders', operation: 'verify-batch' },
      { caller: 'socket', keySet: 'orders', operation: 'sign', bytes: body.length, status: 200 },
      { caller: 'tcp', method: 'GET', status: 200 },
    ]);
    expect(signer.output()).not.toContain(message);
    expect(signer.output()).not.toContain(signed.signature);
    expect(leaks(signer.output(), bytes)).toEqual([]);
  });

  it('a refusal has its method and outcome, and nothing that the caller has written', async () => {
    const { args } = mounts({ orders: key }, plain);
    await using signer = await startSigner([...args, ...debug]);
    await signer.ready();
    const marker = `x${randomBytes(8).toString('hex')}`;
    const body = { message: 'x' };
    await signer.call(`/v1/keys/${marker}/sign`, body);
    await signer.call(`/v1/keys/${marker}`);
    await signer.call(`/v1/${marker}`, body);
    await signer.call('/v1/keys/orders/sign', body, { headers: { origin: `http://${marker}` } });
    await signer.call('/v1/keys/orders/sign', body, { headers: { 'sec-signer': marker } });
    await signer.call(`/v1/keys/orders/sign?${marker}`, body);
    await signer.call('/v1/keys/orders/sign', body, { method: 'PUT' });
    await fetch(`${signer.opsUrl}/status`);
    await waitFor(() => (requestsOf(signer).length === 7 ? true : undefined));
    const common = { level: 'debug', time: expect.any(String), durationMs: expect.any(Number) };
    const line = (fields: object) => ({ ...common, caller: 'tcp', msg: 'request', ...fields });
    expect(requestsOf(signer)).toEqual([
      line({ operation: 'sign', bytes: 15, status: 404 }),
      line({ method: 'GET', status: 404 }),
      line({ method: 'POST', status: 404 }),
      line({ method: 'POST', status: 403 }),
      line({ method: 'POST', status: 403 }),
      line({ method: 'POST', status: 400 }),
      line({ method: 'PUT', status: 405 }),
    ]);
    expect(signer.output()).not.toContain(marker);
  });

  it('the next level has no line of a request', async () => {
    const { args } = mounts({ orders: key }, plain);
    await using signer = await startSigner([...args, '--log-level', 'info']);
    await signer.ready();
    await signer.call('/v1/keys/orders/sign', { message: 'x' });
    await signer.stop();
    expect(requestsOf(signer)).toEqual([]);
  });
});

describe('the format', () => {
  const served = ['serve', '--listen', '127.0.0.1:0', '--ops-listen', 'none'];
  const startPretty = (args: readonly string[], env = {}) =>
    onTerminal([...served, ...args], { env, until: 'keys loaded' });
  const esc = '\u001b';

  it.skipIf(!hasTerminal)('is for people on a terminal, in colours unless NO_COLOR is set', async () => {
    const { keyDirectory } = mounts({ orders: randomBytes(32).toString('base64url') }, plain);
    const coloured = await startPretty(['--keys', keyDirectory]);
    expect(coloured).toContain(`${esc}[32mINFO${esc}[39m`);
    const plainText = await startPretty(['--keys', keyDirectory], { NO_COLOR: '1' });
    expect(plainText).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: starting\r\n {4}version: "/);
    expect(plainText).not.toContain(esc);
    const chosen = await startPretty(['--keys', keyDirectory, '--log-format', 'json']);
    expect(JSON.parse(chosen.split('\r\n')[0] ?? '')).toMatchObject({ msg: 'starting' });
    const byVariable = await startPretty(['--keys', keyDirectory], { SIGNER_LOG_FORMAT: 'json' });
    expect(JSON.parse(byVariable.split('\r\n')[0] ?? '')).toMatchObject({ msg: 'starting' });
  });

  it('is JSON elsewhere, and readable without colours if that is asked for', async () => {
    const { args } = mounts({ orders: key }, plain);
    await using signer = await startSigner(args);
    expect(linesOf(signer)[0]).toMatchObject({ msg: 'starting' });
    const { keyDirectory } = mounts({ orders: randomBytes(32).toString('base64url') }, plain);
    const pretty = await printedPretty(keyDirectory);
    expect(pretty).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: starting\n/);
    expect(pretty).not.toContain(esc);
  });

  it('writes control characters of names as escapes', async () => {
    const name = `k${esc}[31m\n\u009b1m\u202e`;
    const path = join(directory.path, `${count++}`);
    mkdirSync(path);
    mkdirSync(join(path, name));
    writeFileSync(join(path, name, `or${esc}ders`), randomBytes(32));
    const pretty = await printedPretty(join(path, name), 'not ready');
    expect(pretty).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u);
    expect(pretty).toContain('k\\u001b[31m\\n\\u009b1m\\u202e has plain files');
    // A name cannot begin a line of its own.
    for (const line of pretty.trimEnd().split('\n')) expect(line).toMatch(/^(?:\[\d\d:| {4})/);
  });

  /** What a signer prints with `--log-format pretty`, until this is there. */
  async function printedPretty(keys: string, until = 'keys loaded'): Promise<string> {
    const args = [...served, '--log-format', 'pretty', '--keys', keys];
    const child = spawn(binary, args, { env: {}, stdio: ['ignore', 'pipe', 'inherit'] });
    let printed = '';
    child.stdout.on('data', (chunk) => {
      printed += chunk;
    });
    await waitFor(() => (printed.includes(until) ? true : undefined));
    child.kill('SIGTERM');
    await once(child, 'close');
    return printed;
  }
});

/** A request over a Unix socket, to its end. */
function overSocket(socketPath: string, path: string, body: string): Promise<void> {
  const headers = {
    host: 'localhost',
    'sec-signer': '1',
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  };
  return new Promise((resolve, reject) => {
    request({ socketPath, path, method: 'POST', headers }, (response) => {
      response.resume().once('end', resolve);
    })
      .once('error', reject)
      .end(body);
  });
}

it('writes whole lines to a reader that pauses, however long they are', async () => {
  const { configure, args } = mounts({ orders: key }, plain);
  await using signer = await startSigner(args);
  await signer.ready();
  signer.process.stdout?.pause();
  // Its problems are longer than what a pipe holds.
  const wrong = Array.from({ length: 1000 }, (_, index) => `  k${index}: { unknown: 1 }`);
  configure(['keys:', ...wrong].join('\n'));
  const status = async () => (await fetch(`${signer.opsUrl}/status`)).text();
  await expect.poll(status).toContain('unknown field');
  // Longer than a stream tries on its own to write to a full pipe.
  await delay(500);
  signer.process.stdout?.resume();
  configure(plain);
  await expect.poll(() => signer.output()).toMatch(/the problem with the configuration is over.*\n$/);
  const [long] = linesOf(signer).filter(({ msg }) => msg.startsWith('configuration not loaded'));
  expect(JSON.stringify(long).length).toBeGreaterThan(200_000);
});
