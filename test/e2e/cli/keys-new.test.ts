/** `keys new`, as transcripts: what it makes, and what it leaves alone. */

import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { keyId } from '../../../src/signing/mac.ts';
import { run } from '../../support/command.ts';
import { binary, temporaryDirectory } from '../../support/signer.ts';
import { hasTerminal, onTerminal } from '../../support/terminal.ts';

const directory = temporaryDirectory();
afterAll(() => directory[Symbol.dispose]());

let count = 0;
/** A path in a directory of its own. */
function fresh(name: string): string {
  const folder = join(directory.path, `${count++}`);
  mkdirSync(folder);
  return join(folder, name);
}

const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);
const idOf = (path: string) => keyId(Buffer.from(readFileSync(path, 'utf8'), 'hex'));
const hex = ['--encoding', 'hex'];

describe('keys new', () => {
  it('makes each file with a key of its own, for its owner alone', async () => {
    const [orders, session] = [fresh('orders'), fresh('session')];
    const { code, stdout, stderr } = await run(['keys', 'new', ...hex, orders, session]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(
      `${orders}: new HS256 key ${idOf(orders)}\n${session}: new HS256 key ${idOf(session)}\n`,
    );
    expect(idOf(orders)).not.toBe(idOf(session));
    for (const file of [orders, session]) {
      expect(readFileSync(file, 'utf8')).toMatch(/^[0-9a-f]{64}$/);
      expect(modeOf(file)).toBe('600');
    }
  });

  it.each(['bytes', 'text', 'hex', 'base64', 'base64url', 'whsec', 'jwks'])(
    'of encoding %s prints the id that the key has',
    async (encoding) => {
      const orders = fresh('orders');
      const { stdout } = await run(['keys', 'new', '--encoding', encoding, orders]);
      const shown = await run(['keys', 'show', '--json', '--encoding', encoding, orders]);
      const [{ keyId: id }] = JSON.parse(shown.stdout).keys;
      expect(stdout).toBe(`${orders}: new HS256 key ${id}\n`);
    },
  );

  it('lets a new file be read by whom --mode says, whatever the umask', async () => {
    const orders = fresh('orders');
    const before = process.umask(0o077);
    try {
      expect((await run(['keys', 'new', '--mode', '0440', orders])).code).toBe(0);
      expect(modeOf(orders)).toBe('440');
      expect((await run(['keys', 'new', '--replace', '--mode', '0644', orders])).code).toBe(0);
      expect(modeOf(orders)).toBe('644');
    } finally {
      process.umask(before);
    }
  });

  it('refuses a file that is there, and leaves it as it is', async () => {
    const orders = fresh('orders');
    await run(['keys', 'new', ...hex, orders]);
    const before = readFileSync(orders);
    expect(await run(['keys', 'new', ...hex, orders])).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(
        `${orders} exists; use --replace to replace its key, or --if-missing to keep it`,
      ),
    });
    expect(readFileSync(orders)).toEqual(before);
  });

  it('with --if-missing makes what is not there, and leaves the rest as it is', async () => {
    const [orders, session] = [fresh('orders'), fresh('session')];
    await run(['keys', 'new', ...hex, orders]);
    const before = readFileSync(orders);
    const { code, stdout } = await run(['keys', 'new', ...hex, '--if-missing', orders, session]);
    expect(code).toBe(0);
    expect(stdout).toBe(
      `${orders}: exists already, left unchanged\n${session}: new HS256 key ${idOf(session)}\n`,
    );
    expect(readFileSync(orders)).toEqual(before);
  });

  it('with --replace puts new keys in the place of old ones, with the mode of these', async () => {
    const [orders, session] = [fresh('orders'), fresh('session')];
    await run(['keys', 'new', ...hex, orders]);
    chmodSync(orders, 0o660);
    const before = idOf(orders);
    expect((await run(['keys', 'new', ...hex, '--replace', orders, session])).code).toBe(0);
    expect(idOf(orders)).not.toBe(before);
    expect([modeOf(orders), modeOf(session)]).toEqual(['660', '600']);
  });

  it('with --replace follows a link to the file', async () => {
    const orders = fresh('orders');
    await run(['keys', 'new', ...hex, orders]);
    const before = idOf(orders);
    const link = fresh('link');
    symlinkSync(orders, link);
    expect((await run(['keys', 'new', ...hex, '--replace', link])).code).toBe(0);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(idOf(orders)).not.toBe(before);
  });

  it('with --replace refuses what is no file, and leaves nothing beside it', async () => {
    const folder = fresh('orders');
    mkdirSync(folder);
    expect(await run(['keys', 'new', '--replace', folder])).toEqual({
      code: 1,
      stdout: '',
      stderr: `sidecar-signer: ${folder} is not a regular file; name a key file\n`,
    });
    expect(readdirSync(dirname(folder))).toEqual(['orders']);
  });

  it('leaves nothing beside a file that is a mount', async ({ skip }) => {
    const orders = fresh('orders');
    writeFileSync(orders, 'before');
    skip(spawnSync('mount', ['--bind', orders, orders]).status !== 0, 'this user cannot mount');
    try {
      const { code, stderr } = await run(['keys', 'new', '--replace', orders]);
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('cannot be written') });
      expect(readdirSync(dirname(orders))).toEqual(['orders']);
    } finally {
      execFileSync('umount', [orders]);
    }
  });

  it('tells with --json what it made', async () => {
    const [orders, session] = [fresh('orders'), fresh('session')];
    await run(['keys', 'new', ...hex, orders]);
    const { code, stdout, stderr } = await run([
      'keys',
      'new',
      ...hex,
      '--if-missing',
      '--json',
      orders,
      session,
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      keys: [
        { file: orders, made: false },
        { file: session, made: true, keyId: idOf(session), algorithm: 'HS256' },
      ],
    });
  });

  it('prints a Secret manifest with an entry for each file', async () => {
    const { code, stdout } = await run(['keys', 'new', ...hex, '-o', 'secret', 'orders', 'session']);
    expect(code).toBe(0);
    const { kind, data } = parse(stdout) as { kind: string; data: Record<string, string> };
    expect(kind).toBe('Secret');
    expect(Object.keys(data)).toEqual(['orders', 'session']);
    for (const value of Object.values(data)) {
      expect(Buffer.from(value, 'base64').toString()).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  it.skipIf(!hasTerminal)('- prints text on a terminal, and refuses raw bytes with the remedy', async () => {
    for (const encoding of [[], ['--encoding', 'bytes']]) {
      const shown = await onTerminal(['keys', 'new', '-', ...encoding]);
      expect(shown).toBe(
        'sidecar-signer: a terminal cannot show the raw bytes of a key; redirect the output to a file, or choose a text such as --encoding=hex\r\n',
      );
    }
    expect(await onTerminal(['keys', 'new', '-', ...hex])).toMatch(/^[0-9a-f]{64}\r\n$/);
    expect(await onTerminal(['keys', 'new', '-', '--encoding', 'whsec'])).toMatch(/^whsec_\S{44}\r\n$/);
    expect(await onTerminal(['keys', 'new', '-', '--encoding', 'jwks'])).toMatch(/^\{.*\}\r\n$/s);
  });

  it('- prints the key alone where there is no terminal', async () => {
    const raw = spawnSync(binary, ['keys', 'new', '-'], { env: {} });
    expect([raw.status, raw.stdout.length, raw.stderr.length]).toEqual([0, 32, 0]);
    expect((await run(['keys', 'new', '-', ...hex])).stdout).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each<[readonly string[], number, string]>([
    [['-', 'orders'], 1, '- prints one key; give no other file with it'],
    [['-o', 'secret', 'a/orders', 'b/orders'], 1, 'two of the files have the same name'],
    [
      ['--if-missing', '--replace', 'orders'],
      2,
      "option '--if-missing' cannot be used with option '--replace'",
    ],
    [['--mode', '9', 'orders'], 2, 'expected an octal file mode, for instance 0660'],
    [['--kid', 'x', 'a.jwks.json', 'orders'], 2, '--kid is for a JWK set, and orders is not one'],
    [
      ['--kid', 'x', '--encoding', 'hex', 'a.jwks.json'],
      2,
      '--kid is for a JWK set, and a.jwks.json is not one',
    ],
    [['--kid', 'a b', 'a.jwks.json'], 1, 'a.jwks.json: keys.0.kid: must be 1 to 128 printable ASCII'],
    [['--json', '-'], 2, '--json lists the created files; it cannot be used where the key is printed'],
    [
      ['--json', '-o', 'secret', 'orders'],
      2,
      '--json lists the created files; it cannot be used where the key is printed',
    ],
    [[], 2, "missing required argument 'file'"],
    [
      ['no/such/folder/orders'],
      1,
      'cannot be written; check that its directory exists and that you may write to it',
    ],
  ])('refuses %j', async (args, code, message) => {
    const transcript = await run(['keys', 'new', ...args], { cwd: directory.path });
    expect(transcript).toEqual({ code, stdout: '', stderr: expect.stringContaining(message) });
  });
});
