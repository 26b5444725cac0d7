/** `status`: what a running signer has in force, as transcripts. */

import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Status } from '../../../src/api/status.ts';
import { keyId } from '../../../src/signing/mac.ts';
import { type Payload, writeVolume } from '../../support/atomic-writer.ts';
import { everythingPrinted, run } from '../../support/command.ts';
import { leaks } from '../../support/leaks.ts';
import { type Signer, startSigner, temporaryDirectory, waitFor } from '../../support/signer.ts';
import { hasTerminal, onTerminal } from '../../support/terminal.ts';

const orders = randomBytes(32);
const other = randomBytes(32);
const directory = temporaryDirectory();
afterAll(() => {
  for (const key of [orders, other]) expect(leaks(everythingPrinted(), key)).toEqual([]);
  directory[Symbol.dispose]();
});

let count = 0;
/** A place for keys and sockets, and the flags of a signer that uses it. */
function place(keys: Payload, yaml?: string) {
  const path = join(directory.path, `${count++}`);
  mkdirSync(path);
  const [keyDirectory, configDirectory] = [join(path, 'keys'), join(path, 'config')];
  writeVolume(keyDirectory, keys);
  if (yaml !== undefined) writeVolume(configDirectory, { 'signer.yaml': yaml });
  const config = yaml === undefined ? [] : ['--config', join(configDirectory, 'signer.yaml')];
  return { path, keyDirectory, args: ['--keys', keyDirectory, ...config] };
}

/** The flag that finds this signer. */
const at = (signer: Signer) => ['--ops-listen', new URL(signer.opsUrl).host];
const statusOf = async (signer: Signer) => (await (await fetch(`${signer.opsUrl}/status`)).json()) as Status;
const moments = /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/g;
const tooLong = (text: string) => text.split('\n').filter((line) => line.length > 80);

describe('of a signer that is ready', () => {
  it('says what is in force, and the exit code is 0', async () => {
    const yaml = 'keys: { orders: { callers: { web: [verify], worker: [sign, verify] } }, other: {} }';
    const { path, keyDirectory, args } = place({ orders, other }, yaml);
    const sockets = ['web', 'worker'].flatMap((name) => ['--socket', `${name}=${join(path, name)}`]);
    await using signer = await startSigner([...args, ...sockets]);
    await signer.ready();
    expect((await run(['sign', 'orders', '--socket', join(path, 'worker')], { input: 'hello' })).code).toBe(
      0,
    );
    const { code, stdout, stderr } = await run(['status', ...at(signer)]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { host } = new URL(signer.url);
    const ops = new URL(signer.opsUrl).host;
    const onIpv6 = (address: string) => address.replace('127.0.0.1', '[::1]');
    expect(stdout.replaceAll(moments, 'T')).toBe(
      [
        '✓ ready  sidecar-signer 0.1.0, generation 1',
        '  started T, keys loaded T',
        '',
        'Listeners',
        `  tcp           ${host}, ${onIpv6(host)}`,
        `  web           ${join(path, 'web')}`,
        `  worker        ${join(path, 'worker')}`,
        `  ops listener  ${ops}, ${onIpv6(ops)}`,
        '',
        'Directories',
        `  ✓ ${keyDirectory}  keys, atomic, generation 1`,
        `  ✓ ${join(path, 'config')}  configuration, atomic, generation 1`,
        '',
        'Key sets (2)',
        '  orders  raw, HS256',
        `    ${keyId(orders)}  primary since T`,
        '      last signed T',
        '    callers: web may verify; worker may sign, verify',
        '  other  raw, HS256',
        `    ${keyId(other)}  primary since T`,
        '      not used since the start',
        '    callers: tcp, web, worker may sign, verify',
        '',
      ].join('\n'),
    );
  });

  it('is what /status answers, with --json', async () => {
    const { args } = place({ orders });
    await using signer = await startSigner(args);
    await signer.ready();
    const { code, stdout } = await run(['status', ...at(signer), '--json']);
    expect(code).toBe(0);
    const told = JSON.parse(stdout) as Status;
    // The directory is looked at again and again.
    const volumes = told.volumes.map((volume) => ({ ...volume, lastSuccess: expect.any(String) }));
    expect(await statusOf(signer)).toEqual({ ...told, volumes });
    expect(told.keys).toEqual([
      {
        name: 'orders',
        format: 'raw',
        algorithm: 'HS256',
        callers: { tcp: ['sign', 'verify'] },
        since: told.loadedAt,
        keys: [{ id: keyId(orders), role: 'primary', lastUsed: {} }],
      },
    ]);
  });

  it('says until when a replaced key verifies, and when it was last needed', async () => {
    const { keyDirectory, args } = place({ orders });
    await using signer = await startSigner(args);
    await signer.ready();
    const message = 'hello';
    const { signature } = (await (await signer.call('/v1/keys/orders/sign', { message })).json()) as {
      signature: string;
    };
    const replacement = randomBytes(32);
    writeVolume(keyDirectory, { orders: replacement });
    await waitFor(async () => ((await statusOf(signer)).generation === 2 ? true : undefined));
    const verified = { valid: true, keyId: keyId(orders), primary: false };
    const answer = await signer.call('/v1/keys/orders/verify', { message, signature });
    expect(await answer.json()).toEqual(verified);
    const [keySet] = (await statusOf(signer)).keys;
    expect(keySet?.keys).toEqual([
      { id: keyId(replacement), role: 'primary', lastUsed: {} },
      {
        id: keyId(orders),
        role: 'other',
        until: expect.any(String),
        lastUsed: { sign: expect.any(String), verify: expect.any(String) },
      },
    ]);
    const leftMs = Date.parse(keySet?.keys[1]?.until ?? '') - Date.now();
    expect(leftMs).toBeGreaterThan(3_500_000);
    expect(leftMs).toBeLessThanOrEqual(3_600_000);
    const { stdout } = await run(['status', ...at(signer)]);
    expect(stdout.replaceAll(moments, 'T').replaceAll(/\s+/g, ' ')).toContain(
      ` ${keyId(orders)} only verifies until T, or the process ends last signed T, last verified T `,
    );
    expect(tooLong(stdout)).toEqual([]);
  });

  it('says every problem with its remedy, in lines that fit, and the exit code is still 0', async () => {
    const { keyDirectory, args } = place({ orders });
    await using signer = await startSigner(args);
    await signer.ready();
    writeVolume(keyDirectory, { orders: `${orders.toString('hex')}\n`, short: 'x' });
    await waitFor(() => (signer.output().includes('keys not loaded') ? true : undefined));
    const { code, stdout } = await run(['status', ...at(signer)]);
    expect(code).toBe(0);
    expect(stdout).toContain(`  ✗ ${keyDirectory}  keys, atomic, generation 1\n`);
    const text = stdout.replaceAll(/\s+/g, ' ');
    for (const [problem = ''] of (await statusOf(signer)).volumes.map(({ problems }) => problems)) {
      expect(text).toContain(`- ${problem.replaceAll(/\s+/g, ' ')}`);
    }
    expect(text).toMatch(/the one from before is in use.*echo -n/);
    expect(tooLong(stdout)).toEqual([]);
  });

  it('has no warning about a key in use: whoever reaches the ops listener must not learn which are weak', async () => {
    const yaml = 'keys: { orders: { encoding: text, allowWeakKey: true, maxMessageBytes: 4711 } }';
    const { args } = place({ orders: 'hunter2' }, yaml);
    await using signer = await startSigner(args);
    await signer.ready();
    const text = JSON.stringify(await statusOf(signer));
    expect(text).not.toMatch(/weak|hunter2|4711|short/i);
    expect(signer.output()).toMatch(/weak|short/);
  });

  it.each([
    [1, 1],
    [20, 20],
    [1000, 20],
  ])('of %i key sets shows %i, and the others by name', async (there, shown) => {
    const names = Array.from({ length: there }, (_, index) => `key-set-${`${index}`.padStart(4, '0')}`);
    const { args } = place(Object.fromEntries(names.map((name) => [name, randomBytes(32)])));
    await using signer = await startSigner(args);
    await signer.ready();
    const { code, stdout } = await run(['status', ...at(signer)]);
    expect(code).toBe(0);
    expect(stdout).toContain(`Key sets (${there})\n`);
    expect(stdout.match(/^ {2}key-set-/gm)).toHaveLength(shown);
    expect(stdout.includes(`and ${there - shown} more`)).toBe(there > shown);
    expect(tooLong(stdout)).toEqual([]);
    expect(stdout.split('\n').length).toBeLessThan(110);
    const last = names.at(-1) ?? '';
    const one = await run(['status', ...at(signer), last]);
    expect(one.stdout.match(/^ {2}key-set-.*/gm)).toEqual([`  ${last}  raw, HS256`]);
    expect(JSON.parse((await run(['status', ...at(signer), '--json'])).stdout).keys).toHaveLength(there);
    const missing = await run(['status', ...at(signer), last, 'nothing']);
    expect(missing).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('no key set of one'),
    });
  });

  it('withholds the id of a key that may be the key itself, everywhere', async () => {
    const kid = orders.toString('base64url');
    const k = Buffer.from('orders-2026-primary-key').toString('base64url');
    const set = JSON.stringify({ primary: kid, keys: [{ kty: 'oct', kid, k }] });
    const { args } = place({ 'a.jwks.json': set }, 'keys: { a: { file: a.jwks.json, allowWeakKey: true } }');
    await using signer = await startSigner(args);
    await signer.ready();
    await signer.call('/v1/keys/a/sign', { message: 'hello' });
    const [text, json] = [
      await run(['status', ...at(signer)]),
      await run(['status', '--json', ...at(signer)]),
    ];
    const metrics = await (await fetch(`${signer.opsUrl}/metrics`)).text();
    for (const told of [text.stdout, json.stdout, metrics]) {
      expect(told).toContain('(an id of 43 characters)');
      expect(leaks(told, orders)).toEqual([]);
    }
    const overSigning = await run(['status', '--listen', new URL(signer.url).host]);
    expect(overSigning.stdout).toContain('(an id of 43 characters)');
    expect(metrics).toContain('key_last_used_timestamp_seconds{key_set="a",role="primary",operation="sign"}');
  });

  it('of which keys are kept for longer than there are dates still answers', async () => {
    const yaml = `keys: { orders: { retainPreviousSeconds: ${Number.MAX_SAFE_INTEGER} } }`;
    const { keyDirectory, args } = place({ orders }, yaml);
    await using signer = await startSigner(args);
    await signer.ready();
    writeVolume(keyDirectory, { orders: randomBytes(32) });
    await waitFor(async () => ((await statusOf(signer)).generation === 2 ? true : undefined));
    expect((await run(['status', ...at(signer)])).code).toBe(0);
    expect((await fetch(`${signer.opsUrl}/metrics`)).status).toBe(200);
  });
});

describe('of a signer that is not ready', () => {
  it('says why, and the exit code is 1', async () => {
    const { args } = place({ orders: 'too short' });
    await using signer = await startSigner(args);
    await waitFor(() => (signer.output().includes('not ready') ? true : undefined));
    const { code, stdout, stderr } = await run(['status', ...at(signer)]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout).toMatch(/^✗ not ready {2}sidecar-signer 0\.1\.0, generation 0\n/);
    expect(stdout).toContain('no keys loaded yet');
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain('nothing of it is in use. -');
    expect(stdout).toMatch(/ {6}- "orders" .*9 bytes/);
    expect(stdout).toContain('Key sets (0)');
    const json = await run(['status', ...at(signer), '--json']);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      ready: false,
      stopping: false,
      loadedAt: null,
      keys: [],
    });
  });

  it('says that it is stopping', async () => {
    const { args } = place({ orders });
    await using signer = await startSigner([...args, '--shutdown-delay', '20']);
    await signer.ready();
    signer.process.kill('SIGTERM');
    await waitFor(() => (signer.output().includes('"stopping"') ? true : undefined));
    const { code, stdout } = await run(['status', ...at(signer)]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^✗ stopping {2}/);
    expect(stdout).toContain(keyId(orders));
  });

  it('or not there: the exit code is 1, and 2 for a wrong flag', async () => {
    const nobody = ['--ops-listen', '127.0.0.1:1'];
    const failed = { code: 1, stderr: expect.stringContaining('no signer answers on 127.0.0.1:1') };
    expect(await run(['status', ...nobody])).toMatchObject({ ...failed, stdout: '' });
    expect(await run(['status', ...nobody, '--json'])).toMatchObject({
      ...failed,
      stdout: '{"ready":false}\n',
    });
    expect(await run(['status', '--nothing'])).toMatchObject({ code: 2, stdout: '' });
  });

  it('or is another program', async () => {
    const { args } = place({ orders });
    await using signer = await startSigner(args);
    const { code, stderr } = await run(['status', '--ops-listen', new URL(signer.url).host]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('not a signer') });
  });
});

describe('without an ops listener', () => {
  it('is what the caller may use', async () => {
    const yaml = 'keys: { orders: { callers: { web: [verify] } }, other: { callers: { worker: [sign] } } }';
    const { path, args } = place({ orders, other }, yaml);
    const sockets = ['web', 'worker'].flatMap((name) => ['--socket', `${name}=${join(path, name)}`]);
    await using signer = await startSigner([...args, ...sockets]);
    await signer.ready();
    const env = { SIGNER_SOCKET: `web=${join(path, 'web')}`, SIGNER_OPS_LISTEN: 'none' };
    const { code, stdout } = await run(['status'], { env });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^✓ ready {2}for the caller web\n/);
    expect(stdout).toContain(`    ${keyId(orders)}  primary since`);
    expect(stdout).toContain('    may verify\n');
    expect(stdout).not.toContain('other');
    expect(stdout).not.toContain(keyId(other));
    const json = JSON.parse((await run(['status', '--json'], { env })).stdout);
    expect(json).toMatchObject({ ready: true, caller: 'web', keySets: 1, keys: [{ name: 'orders' }] });
  });
});

describe('on a terminal', () => {
  const esc = '\u001b';

  it.skipIf(!hasTerminal)('has colours, unless NO_COLOR is set', async () => {
    const { args } = place({ orders });
    await using signer = await startSigner(args);
    await signer.ready();
    expect(await onTerminal(['status', ...at(signer)])).toContain(`${esc}[32m✓${esc}[39m ready`);
    expect(await onTerminal(['status', ...at(signer)], { env: { NO_COLOR: '1' } })).not.toContain(esc);
  });

  it('no name can act on it', async () => {
    const { path } = place({});
    const strange = join(path, `k${esc}[31m\n\u009b1m\u202e`);
    mkdirSync(strange);
    writeVolume(join(strange, 'keys'), { orders });
    await using signer = await startSigner(['--keys', join(strange, 'keys')]);
    await signer.ready();
    const { stdout } = await run(['status', ...at(signer)]);
    expect(stdout).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u);
    expect(stdout).toContain('k\\u001b[31m\\u000a\\u009b1m\\u202e/keys');
  });
});
