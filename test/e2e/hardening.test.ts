/** What the binary shuts: core dumps, neighbours of the same user, code from the working directory; and its build. */

import { type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { writeVolume } from '../support/atomic-writer.ts';
import { post } from '../support/exchange.ts';
import { hasProc } from '../support/process.ts';
import { binary, startSigner, temporaryDirectory } from '../support/signer.ts';

const key = randomBytes(32).toString('hex');
const sign = '/v1/keys/demo/sign';
const tag = createHmac('sha256', key).update('hello').digest('hex');

/** Root may read everything, so as root the signer and its neighbour are another user, both the same. */
const user: Pick<SpawnOptions, 'uid' | 'gid'> = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/** A directory with a key and a copy of the binary that any user can reach. */
function installation(): Disposable & {
  readonly path: string;
  readonly keys: string;
  readonly file: string;
} {
  const directory = temporaryDirectory();
  const keys = join(directory.path, 'keys');
  const file = join(directory.path, 'sidecar-signer');
  mkdirSync(join(directory.path, 'cwd'));
  writeVolume(keys, { demo: key });
  chmodSync(directory.path, 0o755);
  copyFileSync(binary, file);
  for (const each of [...readdirSync(keys).filter((name) => name.startsWith('..2')), '.']) {
    chmodSync(join(keys, each), 0o755);
  }
  return Object.assign(directory, { keys, file });
}

/** Whether a process of that user can open a file. */
function opens(file: string): boolean {
  return spawnSync('sh', ['-c', ': < "$0"', file], user).status === 0;
}

describe.skipIf(!hasProc)('the memory of a running signer', () => {
  it('is closed to other processes of the same user', async () => {
    using installed = installation();
    await using signer = await startSigner(['--keys', installed.keys], {}, { file: installed.file, ...user });
    await signer.ready();
    // A process that does nothing for it is open.
    const open = spawn('sleep', ['60'], user);
    await once(open, 'spawn');

    for (const name of ['environ', 'mem', 'maps']) {
      expect(opens(`/proc/${signer.process.pid}/${name}`), name).toBe(false);
    }
    expect(opens(`/proc/${open.pid}/environ`)).toBe(true);
    open.kill();
  });

  it.each(['SIGABRT', 'SIGSEGV'] as const)(
    'is not dumped on %s, nor is any of it printed',
    async (signal) => {
      using installed = installation();
      const cwd = join(installed.path, 'cwd');
      chmodSync(cwd, 0o777);
      await using signer = await startSigner(
        ['--keys', installed.keys],
        {},
        { file: installed.file, cwd, ...user },
      );
      await signer.ready();
      expect((await post(signer.url, sign, { message: 'hello' })).body['signature']).toBe(tag);
      const limits = readFileSync(`/proc/${signer.process.pid}/limits`, 'utf8');
      expect(limits).toMatch(/^Max core file size +0 +0 /m);

      const exit = once(signer.process, 'exit');
      signer.process.kill(signal);
      await exit;
      expect(readdirSync(cwd)).toEqual([]);
      expect(signer.output()).not.toContain(key.slice(0, 16));
    },
  );
});

describe('the limit of descriptors', () => {
  it.each([
    ['is lowered', 'ulimit -n "$(ulimit -Hn)"', 8192],
    ['is never raised', 'ulimit -Hn 700', 700],
    ['is the hard limit where a lower soft one is inherited', 'ulimit -Sn 300', 8192],
  ])('%s', async (_, before, expected) => {
    using directory = temporaryDirectory();
    writeVolume(join(directory.path, 'keys'), { demo: key });
    const wrapper = ['bash', '-c', `ulimit -Sn 256; ${before}; exec "$0" "$@"`];
    await using signer = await startSigner(['--keys', join(directory.path, 'keys')], {}, { wrapper });
    await signer.ready();
    const limits = readFileSync(`/proc/${signer.process.pid}/limits`, 'utf8');
    const hard = Number(/^Max open files +\d+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);
    expect(limits).toMatch(
      new RegExp(`^Max open files +${Math.min(expected, hard)} +${Math.min(expected, hard)} `, 'm'),
    );
  });
});

describe('a working directory that somebody else can write to', () => {
  /** A directory with all the files from which the runtime would take settings or code. */
  function trap() {
    const directory = temporaryDirectory();
    writeVolume(join(directory.path, 'keys'), { demo: key });
    const put = (name: string, content: string) => writeFileSync(join(directory.path, name), content);
    put('.env', 'SIGNER_SOCKET=owned\n');
    put('bunfig.toml', 'preload = ["./evil.js"]\n');
    put('evil.js', `require('node:fs').writeFileSync('owned', '')`);
    put('package.json', '{"name": "trap", "type": "commonjs"}');
    put('tsconfig.json', '{"compilerOptions": {"paths": {"*": ["./evil.js"]}}}');
    return directory;
  }
  /** Code from the trap writes this file, and a setting from it has the signer make a socket of this name. */
  const owned = (directory: { readonly path: string }) => existsSync(join(directory.path, 'owned'));

  it('gives the signer neither settings nor code', async () => {
    using directory = trap();
    await using signer = await startSigner(['--keys', 'keys'], {}, { cwd: directory.path });
    await signer.ready();
    expect((await post(signer.url, sign, { message: 'hello' })).body['signature']).toBe(tag);
    expect(owned(directory)).toBe(false);
  });

  it.each([
    ['BUN_OPTIONS', '--preload ./evil.js'],
    ['BUN_INSPECT', '127.0.0.1:0'],
    ['BUN_CONFIG_VERBOSE_FETCH', 'curl'],
    ['LD_PRELOAD', '/nonexistent.so'],
  ])('and %s keep the signer from starting', (name, value) => {
    using directory = trap();
    const { status, stdout, stderr } = spawnSync(
      binary,
      ['serve', '--keys', 'keys', '--listen', '127.0.0.1:0', '--ops-listen', 'none'],
      { cwd: directory.path, env: { [name]: value }, encoding: 'utf8', timeout: 10_000 },
    );
    expect(status).not.toBe(0);
    expect(status).not.toBeNull();
    expect(stdout + stderr).not.toContain('"msg":"listening"');
    expect(owned(directory)).toBe(false);
  });
});

describe('the binary', () => {
  it('is the same, byte for byte, when it is built from another checkout', { timeout: 300_000 }, () => {
    const root = join(import.meta.dirname, '../..');
    using directory = temporaryDirectory();
    const checkout = join(directory.path, 'checkout');
    for (const each of ['src', 'package.json', 'tsconfig.json']) {
      cpSync(join(root, each), join(checkout, each), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));

    const hashes = [root, checkout].map((cwd, index) => {
      const file = join(directory.path, String(index), 'sidecar-signer');
      const script = packageJson.scripts['build:binary'].replace(/ \S+$/, ` ${file}`);
      const { status, stderr } = spawnSync('npm', ['exec', '--call', script], { cwd, encoding: 'utf8' });
      expect(status, stderr).toBe(0);
      const built = readFileSync(file);
      // Where the packages lie is no part of it either; a link to them has not shown that.
      expect(built.includes(join(root, 'node_modules'))).toBe(false);
      return createHash('sha256').update(built).digest('hex');
    });
    expect(hashes[0]).toBe(hashes[1]);
  });
});
