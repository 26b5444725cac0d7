/** `keys rotate`, as transcripts: what it makes of a key file and of a Secret manifest, and what a kill at each step leaves. */

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { keyId } from '../../../src/signing/mac.ts';
import { hasStrace } from '../../hostile/strace.ts';
import { everythingPrinted, run } from '../../support/command.ts';
import { leaksOfAny } from '../../support/leaks.ts';
import { isRoot } from '../../support/process.ts';
import { binary, temporaryDirectory } from '../../support/signer.ts';

const directory = temporaryDirectory();
afterAll(() => directory[Symbol.dispose]());

const secrets: Buffer[] = [];
let count = 0;
/** A key file in a directory of its own. */
function keyFile(content: string | Uint8Array, name = 'orders'): string {
  const folder = join(directory.path, `${count++}`);
  mkdirSync(folder);
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
}
const newHex = () => {
  const bytes = randomBytes(32);
  secrets.push(bytes);
  return bytes.toString('hex');
};
const text = (file: string) => readFileSync(file, 'utf8');
const idOf = (hex: string) => keyId(Buffer.from(hex, 'hex'));
const hexArgs = ['--encoding', 'hex'];
const filesBeside = (file: string) => readdirSync(dirname(file)).sort();

describe('keys rotate', () => {
  it('makes a new key, and keeps the old one beside it', async () => {
    const old = newHex();
    const file = keyFile(old);
    const { code, stdout, stderr } = await run(['keys', 'rotate', ...hexArgs, file]);
    const next = text(file);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: '',
      stderr:
        `${file}: new key ${idOf(next)}, which signs\n` +
        `${file}.previous: old key ${idOf(old)}, which verifies with "alsoVerify: [orders.previous]"\n`,
    });
    expect(next).toMatch(/^[0-9a-f]{64}$/);
    expect(next).not.toBe(old);
    expect(text(`${file}.previous`)).toBe(old);
    expect(filesBeside(file)).toEqual(['orders', 'orders.previous']);
  });

  it('makes what check and show take for a pair', async () => {
    const file = keyFile(newHex());
    await run(['keys', 'rotate', ...hexArgs, file]);
    const [next, old] = [idOf(text(file)), idOf(text(`${file}.previous`))];
    const config = keyFile(
      'keys: { orders: { encoding: hex, alsoVerify: [orders.previous] } }',
      'signer.yaml',
    );
    const checked = await run(['check', '--json', '--keys', dirname(file), '--config', config]);
    expect(JSON.parse(checked.stdout)).toMatchObject({ valid: true, keys: [{ keyIds: [next, old] }] });
    const shown = await run(['keys', 'show', '--json', ...hexArgs, file]);
    expect(JSON.parse(shown.stdout).keys).toMatchObject([
      { keyId: next, state: 'primary' },
      { keyId: old, state: 'previous' },
    ]);
    const alone = await run(['keys', 'show', '--json', ...hexArgs, `${file}.previous`]);
    expect(JSON.parse(alone.stdout).keys).toMatchObject([{ keyId: old, state: 'previous' }]);
  });

  it.each<[string, number, () => string | Uint8Array]>([
    ['hex', 32, () => randomBytes(32).toString('hex')],
    ['hex', 64, () => `${randomBytes(64).toString('hex')}\n`],
    ['base64', 32, () => randomBytes(20).toString('base64')],
    ['base64url', 48, () => randomBytes(48).toString('base64url')],
    ['whsec', 32, () => `whsec_${randomBytes(24).toString('base64')}`],
    ['text', 64, () => 'a secret of a partner'],
    ['text', 100, () => randomBytes(50).toString('hex')],
    ['bytes', 32, () => Buffer.concat([Buffer.of(0), randomBytes(31)])],
  ])('writes as the old key was written: %s of %i bytes', async (encoding, length, make) => {
    const old = Buffer.from(make());
    const file = keyFile(old);
    const args = ['--encoding', encoding];
    const { code, stdout } = await run(['keys', 'rotate', '--json', ...args, file]);
    expect(code).toBe(0);
    const told = JSON.parse(stdout);
    const shown = JSON.parse((await run(['keys', 'show', '--json', ...args, file])).stdout);
    expect(shown.keys).toMatchObject([
      { keyId: told.keyId, bits: length * 8 },
      { keyId: told.previousKeyId, state: 'previous' },
    ]);
    expect(told).toMatchObject({ file, done: 'rotate', previousFile: `${file}.previous` });
    expect(readFileSync(`${file}.previous`)).toEqual(old);
  });

  it('needs no encoding for bytes, and makes a longer key for another algorithm', async () => {
    const file = keyFile(Buffer.concat([Buffer.of(0), randomBytes(31)]));
    const { code } = await run(['keys', 'rotate', '--algorithm', 'HS512', file]);
    expect({ code, length: readFileSync(file).length }).toEqual({ code: 0, length: 64 });
  });

  it('refuses to replace a previous key unless it is told to', async () => {
    const [old, next] = [newHex(), newHex()];
    const file = keyFile(next);
    writeFileSync(`${file}.previous`, old);
    const refused = await run(['keys', 'rotate', ...hexArgs, file]);
    expect(refused).toEqual({
      code: 1,
      stdout: '',
      stderr: `sidecar-signer: ${file}.previous holds the key before this one; what it has signed ends if it is replaced, which --replace-previous allows\n`,
    });
    expect([text(file), text(`${file}.previous`)]).toEqual([next, old]);
    const { code } = await run(['keys', 'rotate', ...hexArgs, '--replace-previous', file]);
    expect(code).toBe(0);
    expect(text(`${file}.previous`)).toBe(next);
    expect(text(file)).not.toBe(next);
    expect(filesBeside(file)).toEqual(['orders', 'orders.previous']);
  });

  it.each<[string, (file: string, old: string) => void]>([
    ['empty', (file) => writeFileSync(file, '')],
    ['the key itself, from a rotation that was stopped', (file, old) => writeFileSync(file, old)],
    ['another name of the same file', (file) => linkSync(file.replace(/\.previous$/, ''), file)],
  ])('replaces a previous file in which no key is lost: %s', async (_, make) => {
    const old = newHex();
    const file = keyFile(old);
    make(`${file}.previous`, old);
    const { code } = await run(['keys', 'rotate', ...hexArgs, file]);
    expect([code, text(`${file}.previous`)]).toEqual([0, old]);
    expect(text(file)).not.toBe(old);
    expect(filesBeside(file)).toEqual(['orders', 'orders.previous']);
  });

  it.each<[string, (file: string) => string[], RegExp]>([
    ['text without an encoding', (file) => [file], /holds text; say with --encoding .*--encoding=hex\)\n$/],
    ['hex as base64', (file) => [file, '--encoding', 'base64'], /holds hex; give --encoding=hex/],
    ['hex as base64url', (file) => [file, '--encoding', 'base64url'], /holds hex; give --encoding=hex/],
    ['another encoding', (file) => [file, '--encoding', 'whsec'], /orders: does not begin with "whsec_"/],
    [
      'a JWK set by its declaration',
      (file) => [file, '--encoding', 'jwks'],
      /is a JWK set, which holds the old keys itself; use "keys add", then "keys promote", later "keys remove"\n$/,
    ],
    ['a missing file', (file) => [`${file}2`, ...hexArgs], /orders2 cannot be read; /],
    ['a directory', (file) => [dirname(file), ...hexArgs], /cannot be read; /],
    ['a previous file', (file) => [`${file}.previous`, ...hexArgs], /name the file of the key that signs\n$/],
    ['an entry of a file', (file) => [file, '--entry', 'x', ...hexArgs], /--entry is for a Secret manifest/],
  ])('refuses %s, and changes nothing', async (_, argsFor, message) => {
    const old = newHex();
    const file = keyFile(old);
    const { code, stdout, stderr } = await run(['keys', 'rotate', ...argsFor(file)]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(message);
    expect([text(file), filesBeside(file)]).toEqual([old, ['orders']]);
  });

  it('knows a JWK set by its name and by its content', async () => {
    for (const name of ['orders.jwks.json', 'orders']) {
      const file = keyFile('', name);
      await run(['keys', 'new', '--replace', '--encoding', 'jwks', file]);
      const { code, stderr } = await run(['keys', 'rotate', file]);
      expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('is a JWK set') });
    }
  });

  it.each<[string, (file: string) => unknown, RegExp]>([
    ['a directory', (file) => mkdirSync(file), /previous is not a regular file; remove it/],
    ['a link that leads nowhere', (file) => symlinkSync('gone', file), /previous is not a regular file; /],
    ['a FIFO', (file) => spawnSync('mkfifo', [file]), /previous is not a regular file; /],
  ])('refuses a previous file that is %s', async (_, make, message) => {
    const old = newHex();
    const file = keyFile(old);
    make(`${file}.previous`);
    const { code, stderr } = await run(['keys', 'rotate', ...hexArgs, '--replace-previous', file]);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(text(file)).toBe(old);
  });

  it('replaces what a link points to, and keeps the old key beside the link', async () => {
    const old = newHex();
    const target = keyFile(old, 'stored');
    const link = keyFile('', 'unused').replace(/unused$/, 'orders');
    symlinkSync(target, link);
    expect((await run(['keys', 'rotate', ...hexArgs, link])).code).toBe(0);
    expect(text(target)).toMatch(/^[0-9a-f]{64}$/);
    expect([text(link), text(`${link}.previous`)]).toEqual([text(target), old]);
  });
});

describe.runIf(isRoot)('the owner and the mode of a file', () => {
  const attributes = (file: string) => {
    const { uid, gid, mode } = statSync(file);
    return { uid, gid, mode: (mode & 0o7777).toString(8) };
  };
  const owned = (file: string, mode: number) => {
    chmodSync(file, mode);
    chownSync(file, 65532, 65533);
    return attributes(file);
  };

  it('are kept by every command that replaces a key', async () => {
    const set = keyFile('', 'session.jwks.json');
    await run(['keys', 'new', '--replace', '--kid', 'a', set]);
    const manifest = keyFile('', 'secret.yaml');
    writeFileSync(manifest, `kind: Secret\nstringData: { orders: ${newHex()} }\n`);
    for (const [file, ...args] of [
      [keyFile(newHex()), 'new', '--replace', ...hexArgs],
      [keyFile(newHex()), 'rotate', ...hexArgs],
      [set, 'add', '--kid', 'b'],
      [manifest, 'rotate', ...hexArgs],
    ] as [string, ...string[]][]) {
      const before = owned(file, 0o440);
      const old = text(file);
      const { code } = await run(['keys', ...args, file]);
      expect({ code, ...attributes(file) }).toEqual({ code: 0, ...before });
      expect(text(file)).not.toBe(old);
      if (args[0] === 'rotate' && file !== manifest) expect(attributes(`${file}.previous`)).toEqual(before);
    }
  });

  it('give way to a mode that is asked for, and the owner is kept', async () => {
    const file = keyFile(newHex());
    owned(file, 0o440);
    await run(['keys', 'new', '--replace', '--mode', '0400', ...hexArgs, file]);
    expect(attributes(file)).toEqual({ uid: 65532, gid: 65533, mode: '400' });
  });

  it('are kept as far as the user may: another group may not read what was for the old one', () => {
    const file = keyFile(newHex());
    owned(file, 0o644);
    chmodSync(directory.path, 0o755);
    chownSync(dirname(file), 4000, 4000);
    const args = ['keys', 'new', '--replace', ...hexArgs, file];
    const { status } = spawnSync(binary, args, { uid: 4000, gid: 4000, env: {} });
    expect({ status, ...attributes(file) }).toEqual({ status: 0, uid: 4000, gid: 4000, mode: '604' });
  });
});

describe.runIf(hasStrace)('keys rotate that is stopped or fails', () => {
  const rotate = (inject: string, file: string, ...more: readonly string[]) => {
    const trace = join(directory.path, 'trace');
    const [calls = ''] = inject.split(':');
    const strace = ['-f', '-o', trace, '-e', `trace=${calls}`, '-e', `inject=${inject}`];
    const { status, signal, stderr } = spawnSync(
      'strace',
      [...strace, binary, 'keys', 'rotate', ...hexArgs, ...more, file],
      { env: { PATH: process.env['PATH'] }, encoding: 'utf8' },
    );
    const isMet = /INJECTED|killed by SIGKILL/.test(readFileSync(trace, 'utf8'));
    return { ended: isMet, status, signal, stderr };
  };

  /** The steps that change a file or a directory, or make a change last. */
  const calls = ['fchown', 'fchmod', 'fsync', 'link', 'rename'];

  it.each([
    ['a free place', undefined],
    ['a place to be replaced', newHex()],
  ])(
    'loses no key if it is killed before any of its steps: %s',
    { timeout: 120_000 },
    async (_, replaced) => {
      const more = replaced === undefined ? [] : ['--replace-previous'];
      let kills = 0;
      const states = new Set<string>();
      for (const call of calls) {
        for (let when = 1; when <= 9; when++) {
          const old = newHex();
          const file = keyFile(old);
          if (replaced !== undefined) writeFileSync(`${file}.previous`, replaced);
          const { ended } = rotate(`${call}:signal=SIGKILL:when=${when}`, file, ...more);
          if (!ended) break;
          kills++;
          const next = text(file);
          const previous = existsSync(`${file}.previous`) ? text(`${file}.previous`) : undefined;
          const shown = (content: string | undefined) =>
            content === old ? 'old' : content === replaced ? 'replaced' : 'new';
          states.add(`${shown(next)} ${previous === undefined ? 'none' : shown(previous)}`);
          expect(next).toMatch(/^[0-9a-f]{64}$/);
          if (next !== old) expect(previous).toBe(old);
          expect([undefined, replaced, old]).toContain(previous);
          // What may stay behind is never read as a key.
          const others = filesBeside(file).filter((name) => !/^orders(?:\.previous)?$/.test(name));
          for (const name of others) expect(name).toMatch(/^\.\.[0-9a-f]{12}$/);
          // The same command again finishes the rotation, unless it was finished.
          const again = await run(['keys', 'rotate', ...hexArgs, ...more, file]);
          if (next === old) {
            expect([again.code, text(`${file}.previous`)]).toEqual([0, old]);
            expect(text(file)).not.toBe(old);
          } else if (more.length === 0) expect(again.code).toBe(1);
        }
      }
      expect(kills).toBeGreaterThanOrEqual(7);
      const before = replaced === undefined ? 'old none' : 'old replaced';
      expect(states).toEqual(new Set([before, 'old old', 'new old']));
    },
  );

  it.each([
    ['write:error=ENOSPC', ['orders']],
    ['fsync:error=EIO:when=1', ['orders']],
    ['rename:error=EBUSY', ['orders', 'orders.previous']],
  ])('leaves the key as it was if a step fails: %s', (inject, files) => {
    const old = newHex();
    const file = keyFile(old);
    const { ended, status } = rotate(inject, file);
    expect([ended, status === 0]).toEqual([true, false]);
    expect([text(file), filesBeside(file)]).toEqual([old, files]);
    if (files.length > 1) expect(text(`${file}.previous`)).toBe(old);
  });

  it.each(['EPERM', 'EOPNOTSUPP', 'EXDEV'])('copies where a second name is impossible: %s', (error) => {
    const old = newHex();
    const file = keyFile(old);
    chownSync(file, 65532, 65533);
    chmodSync(file, 0o440);
    const { ended, status } = rotate(`link:error=${error}`, file);
    expect([ended, status]).toEqual([true, 0]);
    expect(text(`${file}.previous`)).toBe(old);
    const { uid, gid, mode } = statSync(`${file}.previous`);
    expect({ uid, gid, mode: mode & 0o777 }).toEqual({ uid: 65532, gid: 65533, mode: 0o440 });
    expect(filesBeside(file)).toEqual(['orders', 'orders.previous']);
  });

  it('replaces no previous key that has appeared in the meantime', () => {
    const old = newHex();
    const file = keyFile(old);
    const { status, stderr } = rotate('link:error=EEXIST', file);
    expect([status, text(file), filesBeside(file)]).toEqual([1, old, ['orders']]);
    expect(stderr).toContain(`${file} or ${file}.previous cannot be written`);
  });
});

describe('keys rotate of a Secret manifest', () => {
  const manifest = (fields: string) =>
    `# our keys\nkind: Secret\nmetadata: { name: x } # the name\n${fields}`;

  it('keeps the old key behind the new one, with the comments', async () => {
    const [old, other] = [newHex(), newHex()];
    const data = Buffer.from(old).toString('base64');
    const input = manifest(`data:\n  # signs\n  orders: ${data} # hex\n  # other\n  z: ${btoa(other)}\n`);
    const args = ['keys', 'rotate', '-', '--entry', 'orders', ...hexArgs];
    const { code, stdout, stderr } = await run(args, { input });
    expect(code).toBe(0);
    const next = Buffer.from(parse(stdout).data.orders, 'base64').toString();
    expect(stdout).toBe(
      input.replace(data, btoa(next)).replace('# hex\n', `# hex\n  orders.previous: ${data}\n`),
    );
    expect(stderr).toContain(`orders: new key ${idOf(next)}, which signs\n`);
    expect(next).toMatch(/^[0-9a-f]{64}$/);
  });

  it('writes text where the key is text, and finds the pair without --entry', async () => {
    const old = newHex();
    const file = keyFile(manifest(`stringData:\n  orders: "${old}"\n`), 'secret.yaml');
    const first = await run(['keys', 'rotate', '--json', ...hexArgs, file]);
    const after = parse(text(file)).stringData;
    expect(after['orders.previous']).toBe(old);
    expect(JSON.parse(first.stdout)).toEqual({
      file,
      entry: 'orders',
      done: 'rotate',
      keyId: idOf(after.orders),
      previousEntry: 'orders.previous',
      previousKeyId: idOf(old),
    });
    const refused = await run(['keys', 'rotate', ...hexArgs, file]);
    expect(refused.stderr).toMatch(/^sidecar-signer: orders\.previous holds the key before this one; /);
    expect(parse(text(file)).stringData).toEqual(after);
    await run(['keys', 'rotate', ...hexArgs, '--replace-previous', file]);
    expect(parse(text(file)).stringData['orders.previous']).toBe(after.orders);
    const shown = await run(['keys', 'show', '--json', ...hexArgs, file]);
    expect(JSON.parse(shown.stdout).keys).toMatchObject([{ state: 'primary' }, { state: 'previous' }]);
    const config = keyFile(
      'keys: { orders: { encoding: hex, alsoVerify: [orders.previous] } }',
      'signer.yaml',
    );
    const checked = await run(['check', '--json', '--secret', file, '--config', config]);
    expect(JSON.parse(checked.stdout)).toMatchObject({
      valid: true,
      keys: [{ keyIds: JSON.parse(shown.stdout).keys.map((each: { keyId: string }) => each.keyId) }],
      notes: [],
    });
  });

  it('replaces an entry where it is, in the other field or empty', async () => {
    const old = newHex();
    const input = manifest(`stringData: { orders: "${old}" }\ndata: { orders.previous: "" }\n`);
    const { code, stdout } = await run(['keys', 'rotate', '-', ...hexArgs], { input });
    expect(code).toBe(0);
    const { stringData, data } = parse(stdout);
    expect(Object.keys(stringData)).toEqual(['orders']);
    expect(data).toEqual({ 'orders.previous': btoa(old) });
  });

  it('stays JSON where it is JSON, and is one Secret of several', async () => {
    const old = newHex();
    const items = [
      { kind: 'Secret', data: { other: btoa(newHex()) } },
      { kind: 'Secret', data: { orders: btoa(old) } },
    ];
    const input = JSON.stringify({ kind: 'List', items });
    const { stdout } = await run(['keys', 'rotate', '-', '--entry', 'orders', ...hexArgs], { input });
    const [first, second] = JSON.parse(stdout.replace(/^---\n/, '')).items;
    expect(first).toEqual(items[0]);
    expect(second.data['orders.previous']).toBe(btoa(old));
  });

  it.each<[string, string, readonly string[], RegExp]>([
    [
      'a text without an encoding',
      `stringData: { a: ${newHex()} }`,
      [],
      /^a holds text; say with --encoding /,
    ],
    [
      'bytes in a text',
      'stringData: { a: "a password of 16" }',
      ['--encoding', 'bytes'],
      /^stringData\.a: text cannot hold these bytes; move the entry to data, as base64\n$/,
    ],
    ['an alias', `x: &k ${newHex()}\nstringData: { a: *k }`, hexArgs, /^stringData\.a: is an alias \(\*\); /],
    ['a JWK set', 'stringData: { a.jwks.json: "{}" }', [], /^a\.jwks\.json is a JWK set, /],
    [
      'a name that is too long',
      `stringData: { ${'a'.repeat(250)}: ${newHex()} }`,
      hexArgs,
      /\.previous is too long for an entry of a Secret\n$/,
    ],
    ['two keys', `stringData: { a: ${newHex()}, b: ${newHex()} }`, hexArgs, /^--entry must name one entry/],
    [
      'the entry of a previous key',
      `stringData: { a.previous: ${newHex()} }`,
      hexArgs,
      /^a\.previous is for a previous key; /,
    ],
  ])('is refused, and nothing is printed: %s', async (_, fields, args, message) => {
    const { code, stdout, stderr } = await run(['keys', 'rotate', '-', ...args], {
      input: manifest(`${fields}\n`),
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr.replace('sidecar-signer: ', '')).toMatch(message);
  });
});

it('prints no key', () => {
  // Manifests on standard output hold keys, in base64.
  const printed = everythingPrinted().replace(/[A-Za-z0-9+/]{86,88}={0,2}/g, '');
  expect(leaksOfAny(printed.replaceAll(/^.*(?:data|stringData).*$/gm, ''), secrets)).toEqual([]);
  expect(basename(binary)).toBe('sidecar-signer');
});
