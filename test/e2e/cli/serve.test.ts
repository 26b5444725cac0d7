/** `serve` and what keeps it from starting: addresses, sockets, variables. Nothing that was there before is lost. */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { writeVolume } from '../../support/atomic-writer.ts';
import { everythingPrinted, run } from '../../support/command.ts';
import { freePort } from '../../support/free-port.ts';
import { leaks } from '../../support/leaks.ts';
import { type Signer, startSigner, temporaryDirectory } from '../../support/signer.ts';

const key = randomBytes(32);
const directory = temporaryDirectory();
const keys = join(directory.path, 'keys');
const inDirectory = (name: string) => join(directory.path, name);
/** Somebody else's listener, and its address. */
const stranger = createServer();
let occupied: string;
let printed = '';

beforeAll(async () => {
  writeVolume(keys, { demo: key });
  stranger.listen(0, '127.0.0.1');
  await once(stranger, 'listening');
  occupied = `127.0.0.1:${(stranger.address() as AddressInfo).port}`;
});

afterAll(() => {
  stranger.close();
  directory[Symbol.dispose]();
  expect(leaks(everythingPrinted() + printed, key)).toEqual([]);
});

async function start(args: readonly string[], env: Record<string, string> = {}): Promise<Signer> {
  const signer = await startSigner(['--keys', keys, ...args], env);
  onTestFinished(async () => {
    await signer.stop();
    printed += signer.output();
  });
  await signer.ready();
  return signer;
}

/** A `serve` that ends, and why. */
async function refused(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number | null; stderr: string }> {
  const { code, stdout, stderr } = await run(['serve', '--keys', keys, ...args], { env });
  // It may have told its version.
  expect(stdout).toMatch(/^(?:\{[^\n]*"msg":"starting"\}\n)?$/);
  return { code, stderr };
}

const because = (problem: string) => ({ code: 1, stderr: `sidecar-signer: ${problem}\n` });

/** The status of `GET /v1/keys` over TCP or a Unix socket. */
async function statusOf(target: { port?: string; socketPath?: string }, host: string): Promise<number> {
  const asking = request({ ...target, path: '/v1/keys', headers: { host, 'sec-signer': '1' } });
  asking.end();
  const [response] = await once(asking, 'response');
  response.resume();
  return response.statusCode;
}

describe('an occupied address', () => {
  it('of the signing listener is named, and how to choose another', async () => {
    expect(await refused(['--listen', occupied, '--ops-listen', 'none'])).toEqual(
      because(`${occupied} is in use; stop the process that listens there, or set another --listen`),
    );
  });

  it('of the ops listener is named, and the signing listener is given up again', async () => {
    const socket = inDirectory('given-up.sock');
    const args = ['--listen', '127.0.0.1:0', '--socket', socket, '--ops-listen', occupied];
    expect(await refused(args)).toEqual(
      because(`${occupied} is in use; stop the process that listens there, or set another --ops-listen`),
    );
    expect(existsSync(socket)).toBe(false);
  });

  it('of another signer stays with that signer', async () => {
    const signer = await start([]);
    const { host, port } = new URL(signer.url);
    expect((await refused(['--listen', host, '--ops-listen', 'none'])).code).toBe(1);
    expect(await statusOf({ port }, host)).toBe(200);
  });
});

/** A port that is taken on one loopback address alone. */
async function takenAt(host: string): Promise<number> {
  // Not one that somebody has at the other loopback address.
  const taken = createServer().listen(await freePort(), host);
  onTestFinished(() => void taken.close());
  await once(taken, 'listening');
  return (taken.address() as AddressInfo).port;
}

describe('localhost means two addresses', () => {
  const also = (signer: Signer): readonly string[] =>
    JSON.parse(
      signer
        .output()
        .split('\n')
        .find((line) => line.includes('"listening"')) ?? '{}',
    ).also;

  it.each(['127.0.0.1:0', 'localhost:0', '[::1]:0'])('and the signer takes both: %s', async (address) => {
    const signer = await start(['--listen', address, '--ops-listen', address]);
    const [port, opsPort] = [signer.url, signer.opsUrl].map((url) => new URL(url).port);
    const other = address.startsWith('[') ? '127.0.0.1' : '[::1]';
    expect(also(signer)).toEqual([`${other}:${port}`, `${other}:${opsPort}`]);
    for (const host of ['127.0.0.1', '[::1]', 'localhost']) {
      const init = { headers: { 'sec-signer': '1' } };
      expect((await fetch(`http://${host}:${port}/v1/keys`, init)).status).toBe(200);
      expect((await fetch(`http://${host}:${opsPort}/readyz`)).status).toBe(200);
    }
    expect(await signer.stop()).toBe(0);
  });

  it.each([
    ['--listen', '127.0.0.1', '::1', '[::1]'],
    ['--listen', 'localhost', '::1', '[::1]'],
    ['--listen', '[::1]', '127.0.0.1', '127.0.0.1'],
    ['--ops-listen', '127.0.0.1', '::1', '[::1]'],
  ])('%s %s is refused where somebody else listens on the other one', async (flag, host, taken, named) => {
    const port = await takenAt(taken);
    const none = flag === '--listen' ? '--ops-listen' : '--listen';
    const socket = ['--socket', inDirectory('beside.sock')];
    expect(await refused([flag, `${host}:${port}`, none, 'none', ...socket])).toEqual(
      because(
        `${named}:${port} is in use; stop the process that listens there, or set another ${flag}; localhost can mean this address, too`,
      ),
    );
  });

  it('another loopback address is not one of them', async () => {
    const signer = await start(['--listen', '127.0.0.2:0', '--ops-listen', '127.0.0.2:0']);
    expect(also(signer)).toBeUndefined();
  });
});

describe('an address that cannot be had', () => {
  // Without a name server, a name is not unknown: it could not be asked for.
  it.each([
    [
      '192.0.2.1:0',
      /^sidecar-signer: cannot listen on 192\.0\.2\.1:0 \(EADDRNOTAVAIL\); set another --listen\n$/,
    ],
    [
      'no-such-name.invalid:0',
      /^sidecar-signer: (?:no-such-name\.invalid:0 is in use, or its name cannot be resolved; stop the process that listens there, or|cannot listen on no-such-name\.invalid:0 \(EAGAIN\);) set another --listen\n$/,
    ],
  ])('is named: %s', async (listen, problem) => {
    const { code, stderr } = await refused(['--listen', listen, '--allow-remote', '--ops-listen', 'none']);
    expect(code).toBe(1);
    expect(stderr).toMatch(problem);
  });
});

describe('the socket', () => {
  it('of a live signer is not taken over', async () => {
    const socket = inDirectory('live.sock');
    await start(['--socket', socket]);
    expect(await refused(['--listen', 'none', '--socket', socket, '--ops-listen', 'none'])).toEqual(
      because(`another process listens on ${socket}; stop it, or choose another --socket`),
    );
    expect(await statusOf({ socketPath: socket }, 'localhost')).toBe(200);
  });

  it('does not replace a file, which stays as it is', async () => {
    const file = inDirectory('precious');
    writeFileSync(file, 'precious content');
    expect(await refused(['--listen', 'none', '--socket', file, '--ops-listen', 'none'])).toEqual(
      because(`${file} exists and is not a socket; choose another --socket`),
    );
    expect(readFileSync(file, 'utf8')).toBe('precious content');
  });

  it('does not replace a directory', async () => {
    const folder = inDirectory('folder');
    mkdirSync(folder);
    expect(await refused(['--listen', 'none', '--socket', folder, '--ops-listen', 'none'])).toEqual(
      because(`${folder} exists and is not a socket; choose another --socket`),
    );
  });

  it('cannot be made in a directory that does not exist', async () => {
    const socket = inDirectory('missing/signer.sock');
    const why = `: the directory ${inDirectory('missing')} does not exist; create it, or mount a volume there (Kubernetes: emptyDir)`;
    expect(await refused(['--listen', 'none', '--socket', socket, '--ops-listen', 'none'])).toEqual(
      because(`cannot listen on ${socket}${why}`),
    );
  });

  it('cannot be made below a file', async () => {
    const file = inDirectory('file');
    writeFileSync(file, '');
    for (const socket of [join(file, 'signer.sock'), join(file, 'run/signer.sock')]) {
      expect(await refused(['--listen', 'none', '--socket', socket, '--ops-listen', 'none'])).toEqual(
        because(
          `cannot listen on ${socket}: ${dirname(socket)} is not a directory, or lies below a file; correct the path`,
        ),
      );
    }
  });

  it('is not made where every file is a key, by whatever way it leads there', async () => {
    const link = inDirectory('link-to-keys');
    symlinkSync(keys, link);
    for (const folder of [keys, join(keys, '..', basename(keys)), link]) {
      const socket = join(folder, 'signer.sock');
      const { code, stderr } = await refused(['--listen', 'none', '--socket', `web=${socket}`]);
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(
          /^sidecar-signer: cannot listen on .*, where the signer reads every file as a key;/,
        ),
      ]);
    }
    expect(readdirSync(keys)).not.toContain('signer.sock');
  });

  it('may be beside the keys that a configuration names', async () => {
    const both = inDirectory('both');
    mkdirSync(both);
    writeFileSync(join(both, 'demo'), randomBytes(32));
    writeFileSync(join(both, 'signer.yaml'), 'keys: { demo: }');
    const socket = join(both, 'signer.sock');
    const args = ['--keys', both, '--config', join(both, 'signer.yaml'), '--socket', socket];
    await using signer = await startSigner(args);
    await signer.ready();
    expect((await run(['keys', 'list', '--socket', socket])).stdout).toMatch(/^demo /);
  });

  /** A path of this many bytes, with a character of `width` bytes at its end. */
  const pathOf = (bytes: number, end: string) => {
    const start = inDirectory('');
    return start + 'x'.repeat(bytes - Buffer.byteLength(start) - Buffer.byteLength(end)) + end;
  };

  it.each(['x', 'ä', '€', '😀'])(
    'may have a path of 107 bytes that ends with %s, and is found there',
    async (end) => {
      const socket = pathOf(107, end);
      await start(['--socket', socket]);
      const listed = await run(['keys', 'list', '--socket', socket]);
      expect(listed).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^demo /) });
    },
  );

  it.each<[string, readonly string[]]>([
    ['serve', ['serve', '--ops-listen', 'none']],
    ['sign', ['sign', 'demo']],
    ['verify', ['verify', 'demo', '00']],
    ['keys list', ['keys', 'list']],
    ['healthcheck', ['healthcheck', '--ops-listen', 'none']],
  ])('has at most 107 bytes, says %s', async (_, args) => {
    for (const [bytes, end] of [
      [108, 'x'],
      [108, 'ä'],
      [120, 'x'],
      [300, '😀'],
    ] as const) {
      const socket = pathOf(bytes, end);
      const message = `a Unix socket has at most 107 bytes, and this one has ${bytes}; choose a shorter path`;
      const refusal = { code: 2, stdout: '', stderr: expect.stringContaining(message) };
      expect(await run([...args, '--socket', socket])).toEqual(refusal);
      expect(await run(args, { env: { SIGNER_SOCKET: socket } })).toEqual(refusal);
      expect(existsSync(socket)).toBe(false);
    }
  });

  it.each(['', '@abstract'])('is not %j, which would have no file that protects it', async (socket) => {
    const { code, stderr } = await refused(['--listen', 'none', '--socket', socket, '--ops-listen', 'none']);
    expect(code).toBe(2);
    expect(stderr).toContain('expected the path of a file; write ./@name for a name that begins with @');
  });

  it('may have a relative path, which is what is counted', async () => {
    const folder = inDirectory('y'.repeat(100));
    mkdirSync(folder);
    const signer = await startSigner(['--keys', keys, '--socket', './@s'], {}, { cwd: folder });
    await signer.ready();
    expect((await run(['keys', 'list', '--socket', './@s'], { cwd: folder })).code).toBe(0);
    await signer.stop();
    printed += signer.output();
  });

  it.each([
    [[], 0o660],
    [['--socket-mode', '0600'], 0o600],
    [['--socket-mode', '666'], 0o666],
  ])('with %j has the mode it is to have', async (args, mode) => {
    const socket = inDirectory(`mode-${mode}.sock`);
    await start(['--socket', socket, ...args]);
    expect(statSync(socket).mode & 0o777).toBe(mode);
  });

  it('is gone when its signer has stopped, even if that is as soon as it listens', async () => {
    const socket = inDirectory('stopped.sock');
    const signer = await startSigner(['--keys', keys, '--socket', socket]);
    expect(await signer.stop()).toBe(0);
    expect(existsSync(socket)).toBe(false);
  });
});

describe('--allow-remote', () => {
  it.each<[string, readonly string[], Record<string, string>]>([
    ['the flag', ['--allow-remote'], {}],
    ['the variable 1', [], { SIGNER_ALLOW_REMOTE: '1' }],
  ])('as %s lets the signer listen on every address', async (_, args, env) => {
    const signer = await start(['--listen', '0.0.0.0:0', ...args], env);
    expect(signer.url).toMatch(/^http:\/\/0\.0\.0\.0:\d+$/);
  });

  it.each(['false', '0', ''])('as the variable %j does not', async (value) => {
    const { code, stderr } = await refused(['--listen', '0.0.0.0:0'], { SIGNER_ALLOW_REMOTE: value });
    expect(code).toBe(2);
    expect(stderr).toContain('so it needs --allow-remote');
  });

  it('as a variable of another value is refused', async () => {
    const { code, stderr } = await refused(['--listen', '0.0.0.0:0'], { SIGNER_ALLOW_REMOTE: 'yes' });
    expect(code).toBe(2);
    expect(stderr).toContain(
      "value 'yes' from env 'SIGNER_ALLOW_REMOTE' is invalid. expected true or false\n",
    );
  });
});

describe('a variable', () => {
  it.each<[string, () => string, string]>([
    ['SIGNER_LISTEN', () => occupied, 'is in use'],
    ['SIGNER_OPS_LISTEN', () => occupied, 'is in use'],
    ['SIGNER_SOCKET', () => directory.path, 'exists and is not a socket'],
    ['SIGNER_SOCKET_MODE', () => 'rw', "from env 'SIGNER_SOCKET_MODE' is invalid"],
    ['SIGNER_LOG_LEVEL', () => 'loud', "from env 'SIGNER_LOG_LEVEL' is invalid"],
    ['SIGNER_LOG_FORMAT', () => 'xml', "from env 'SIGNER_LOG_FORMAT' is invalid"],
  ])('%s stands for its flag', async (name, value, problem) => {
    // With what else keeps it off the default addresses.
    const env = { SIGNER_LISTEN: '127.0.0.1:0', SIGNER_OPS_LISTEN: 'none', [name]: value() };
    const { code, stderr } = await refused([], env);
    expect(code).toBeGreaterThan(0);
    expect(stderr).toContain(problem);
  });

  it('loses to its flag', async () => {
    const signer = await start([], { SIGNER_LISTEN: occupied, SIGNER_OPS_LISTEN: occupied });
    expect(signer.url).not.toContain(occupied);
  });

  it('that is empty is not set', async () => {
    const signer = await start([], { SIGNER_SOCKET: '', SIGNER_LOG_LEVEL: '', SIGNER_SOCKET_MODE: '' });
    expect(signer.output()).not.toContain('"sockets"');
  });

  it('SIGNER_ALLOWED_HOST adds to the hosts that are served, separated by commas', async () => {
    const signer = await start([], { SIGNER_ALLOWED_HOST: 'signer.internal,another.internal' });
    const { port } = new URL(signer.url);
    for (const host of ['signer.internal', `another.internal:${port}`, `127.0.0.1:${port}`]) {
      expect(await statusOf({ port }, host)).toBe(200);
    }
    expect(await statusOf({ port }, 'signer.internal,another.internal')).toBe(400);
    expect(await statusOf({ port }, 'third.internal')).toBe(403);
  });

  it('SIGNER_OPS_ALLOWED_HOST adds to the names that the ops listener serves', async () => {
    const signer = await start([], { SIGNER_OPS_ALLOWED_HOST: 'signer.default.svc,another' });
    const { port, hostname } = new URL(signer.opsUrl);
    const statusFor = async (host: string) => {
      const asking = request({ port, hostname, path: '/status', headers: { host } });
      asking.end();
      const [response] = await once(asking, 'response');
      response.resume();
      return response.statusCode;
    };
    for (const host of ['signer.default.svc', 'signer.default.svc:8701', 'another', `127.0.0.1:${port}`])
      expect(await statusFor(host)).toBe(200);
    expect(await statusFor('third.internal')).toBe(403);
    expect(await statusOf({ port: new URL(signer.url).port }, 'another')).toBe(403);
  });

  it('of a Service with the name of the signer does no harm', async () => {
    const signer = await start([], {
      SIGNER_PORT: 'tcp://10.0.0.1:8700',
      SIGNER_SERVICE_HOST: '10.0.0.1',
      SIGNER_SERVICE_PORT: '8700',
      PORT: '80',
      BUN_PORT: '80',
      NODE_PORT: '80',
    });
    expect(signer.url).toMatch(/^http:\/\/127\.0\.0\.1:(?!80$)\d+$/);
  });
});

describe('an environment that could put code into the process', () => {
  /** Code that leaves a trace when it runs. */
  const trap = inDirectory('trap.cjs');
  const sprung = inDirectory('sprung');
  writeFileSync(trap, `require('node:fs').writeFileSync(${JSON.stringify(sprung)}, '')`);

  /** One of each kind; `cli/environment.test.ts` has every name. */
  const variables: Readonly<Record<string, string>> = {
    BUN_OPTIONS: `--preload ${trap}`,
    BUN_INSPECT: '127.0.0.1:0',
    BUN_INSPECT_PRELOAD: trap,
    BUN_CONFIG_PRELOAD: trap,
    BUN_BE_BUN: '0',
    NODE_OPTIONS: `--require ${trap}`,
    LD_PRELOAD: '/nonexistent.so',
  };
  /** The runtime itself ends when it sees these, before any of our code runs. */
  const refusedByRuntime = ['BUN_OPTIONS', 'BUN_INSPECT', 'BUN_INSPECT_PRELOAD'];

  it.each(Object.entries(variables))('is refused: %s', async (name, value) => {
    const { code, stderr } = await refused(['--listen', '127.0.0.1:0', '--ops-listen', 'none'], {
      [name]: value,
    });
    expect(code).toBeGreaterThan(0);
    if (!refusedByRuntime.includes(name)) {
      expect(stderr).toContain(
        `sidecar-signer: refusing to read keys with ${name} in the environment, which could load other code; unset it. If your manifests do not set it, an admission webhook does, of a tracing or monitoring agent for instance: exclude this container from its injection (docs/troubleshooting.md)\n`,
      );
    }
    expect(existsSync(sprung)).toBe(false);
  });

  it('is named whole, without a value', async () => {
    const env = { NODE_PATH: '/VALUE', LD_LIBRARY_PATH: '/VALUE', BUN_CONFIG_X: 'VALUE' };
    const { stderr } = await refused(['--listen', '127.0.0.1:0', '--ops-listen', 'none'], env);
    for (const name of Object.keys(env)) expect(stderr).toContain(name);
    expect(stderr).not.toContain('VALUE');
  });

  it('keeps check from reading keys as well', async () => {
    const { code, stdout, stderr } = await run(['check', '--keys', keys], { env: { NODE_OPTIONS: '-x' } });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('NODE_OPTIONS');
  });

  it('is not one with a certificate of a company in it', async () => {
    const signer = await start([], { NODE_EXTRA_CA_CERTS: '/nonexistent.pem', NODE_ENV: 'development' });
    expect(signer.output()).toContain('"msg":"listening"');
  });
});
