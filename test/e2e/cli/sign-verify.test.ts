/** `sign`, `verify` and `healthcheck` against a running signer, over TCP and over a Unix socket, as transcripts. */

import { execFile } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type OutgoingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyId } from '../../../src/signing/mac.ts';
import { writeVolume } from '../../support/atomic-writer.ts';
import { everythingPrinted, run } from '../../support/command.ts';
import { leaks } from '../../support/leaks.ts';
import { binary, type Signer, startSigner, temporaryDirectory, waitFor } from '../../support/signer.ts';

const key = randomBytes(32);
const message = 'hello';
const signature = createHmac('sha256', key).update(message).digest('hex');
const directory = temporaryDirectory();
const socket = join(directory.path, 'signer.sock');
const file = join(directory.path, 'message');
let signer: Signer;

beforeAll(async () => {
  writeVolume(join(directory.path, 'keys'), { demo: key });
  writeFileSync(file, message);
  signer = await startSigner(['--keys', join(directory.path, 'keys'), '--socket', socket]);
  await signer.ready();
});

afterAll(async () => {
  await signer.stop();
  directory[Symbol.dispose]();
  expect(leaks(everythingPrinted() + signer.output(), key)).toEqual([]);
});

/** Leaves the socket of a process that was killed. */
async function leaveSocket(path: string): Promise<void> {
  const listening =
    'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))';
  await once(execFile(process.execPath, ['-e', listening, path]), 'exit');
}

const addressOf = (url: string) => new URL(url).host;
const targets: Readonly<Record<string, () => readonly string[]>> = {
  'over TCP': () => ['--listen', addressOf(signer.url)],
  'over a Unix socket': () => ['--socket', socket],
};

describe.each(Object.entries(targets))('sign %s', (_, target) => {
  it('prints the signature of a file', async () => {
    const transcript = await run(['sign', 'demo', file, ...target()]);
    expect(transcript).toEqual({ code: 0, stdout: `${signature}\n`, stderr: '' });
  });

  it('reads standard input when no file is named, and for -', async () => {
    const expected = { code: 0, stdout: `${signature}\n`, stderr: '' };
    expect(await run(['sign', 'demo', ...target()], { input: message })).toEqual(expected);
    expect(await run(['sign', 'demo', '-', ...target()], { input: message })).toEqual(expected);
  });

  it('prints the whole answer with --json', async () => {
    const { code, stdout, stderr } = await run(['sign', 'demo', file, '--json', ...target()]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ signature, keyId: keyId(key), algorithm: 'HS256' });
  });

  it('signs an empty message, and bytes that are no text', async () => {
    for (const input of [Buffer.alloc(0), randomBytes(100_000)]) {
      const { stdout } = await run(['sign', 'demo', ...target()], { input });
      expect(stdout).toBe(`${createHmac('sha256', key).update(input).digest('hex')}\n`);
    }
  });
});

describe.each(Object.entries(targets))('keys list %s', (_, target) => {
  it('prints the key sets with the ids of their keys', async () => {
    expect(await run(['keys', 'list', ...target()])).toEqual({
      code: 0,
      stdout: `demo  raw  HS256  primary ${keyId(key)}\n`,
      stderr: '',
    });
  });

  it('prints what GET /v1/keys answers with --json', async () => {
    const { code, stdout, stderr } = await run(['keys', 'list', '--json', ...target()]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const caller = target().includes('--socket') ? 'socket' : 'tcp';
    const { keys } = (await (await signer.call('/v1/keys')).json()) as { keys: object[] };
    expect(JSON.parse(stdout)).toEqual({ caller, keys });
  });
});

describe.each(Object.entries(targets))('verify %s', (_, target) => {
  it('says that a signature is valid, and exits with 0', async () => {
    expect(await run(['verify', 'demo', signature, file, ...target()])).toEqual({
      code: 0,
      stdout: `valid, by the primary key ${keyId(key)}\n`,
      stderr: '',
    });
  });

  it('says that a signature is not valid, and exits with 1', async () => {
    expect(await run(['verify', 'demo', signature, ...target()], { input: 'another message' })).toEqual({
      code: 1,
      stdout: 'not valid: mismatch\n',
      stderr: '',
    });
    expect(await run(['verify', 'demo', 'nonsense', file, ...target()])).toEqual({
      code: 1,
      stdout: 'not valid: malformed\n',
      stderr: '',
    });
  });

  it.each([
    ['a line break', 'ab\ncd'],
    ['letters beyond ASCII', '€'],
    ['40,000 letters', 'z'.repeat(40_000)],
  ])('says that a signature of %s is malformed', async (_, malformed) => {
    expect(await run(['verify', 'demo', malformed, file, ...target()])).toEqual({
      code: 1,
      stdout: 'not valid: malformed\n',
      stderr: '',
    });
  });

  it('prints the whole answer with --json, and exits the same', async () => {
    const valid = await run(['verify', 'demo', signature, file, '--json', ...target()]);
    expect(valid.code).toBe(0);
    expect(JSON.parse(valid.stdout)).toEqual({ valid: true, keyId: keyId(key), primary: true });
    const wrong = await run(['verify', 'demo', '00'.repeat(32), file, '--json', ...target()]);
    expect(wrong.code).toBe(1);
    expect(JSON.parse(wrong.stdout)).toEqual({ valid: false, reason: 'mismatch' });
  });
});

describe('a message that cannot be had', () => {
  it.each<[string, () => string, string]>([
    [
      'a file that is not there',
      () => join(directory.path, 'missing'),
      'cannot be read; check the path and its permissions',
    ],
    ['a directory', () => directory.path, 'is a directory; give a file, or - for standard input'],
  ])('is %s, and not a signer that does not answer', async (_, path, problem) => {
    for (const args of [
      ['sign', 'demo'],
      ['verify', 'demo', signature],
    ]) {
      expect(await run([...args, path(), '--socket', socket])).toEqual({
        code: 1,
        stdout: '',
        stderr: `sidecar-signer: ${path()} ${problem}\n`,
      });
    }
  });
});

describe('an answer that is an error', () => {
  it('is told with its code, and the exit code is 1', async () => {
    const expected = {
      code: 1,
      stdout: '',
      stderr:
        'sidecar-signer: there is no key set of this name for this caller; "sidecar-signer keys list" lists those that it may use (unknown_key)\n',
    };
    expect(await run(['sign', 'other', file, '--socket', socket])).toEqual(expected);
    expect(await run(['verify', 'other', signature, file, '--socket', socket])).toEqual(expected);
  });
});

describe('a signer on every address', () => {
  it('is asked on this machine', async () => {
    const args = ['--keys', join(directory.path, 'keys'), '--allow-remote', '--listen', '0.0.0.0:0'];
    await using open = await startSigner(args);
    await open.ready();
    const target = ['--listen', addressOf(open.url)];
    expect(target[1]).toContain('0.0.0.0:');
    expect((await run(['keys', 'list', ...target])).stdout).toContain('demo  raw');
    expect((await run(['sign', 'demo', file, ...target])).stdout).toBe(`${signature}\n`);
  });
});

// Both wait for longer than the 10 s after which a command gives up, so they wait together.
describe.concurrent('a signer that is stopped', () => {
  it('is given up after 10 s, however the message comes', async ({ expect }) => {
    await using stopped = await startSigner(['--keys', join(directory.path, 'keys')]);
    await stopped.ready();
    stopped.process.kill('SIGSTOP');
    const listen = ['--listen', addressOf(stopped.url)];
    const transcripts = await Promise.all([
      run(['sign', 'demo', file, ...listen]),
      run(['sign', 'demo', ...listen], { input: randomBytes(20_000_000) }),
      run(['verify', 'demo', signature, file, ...listen]),
      run(['keys', 'list', ...listen]),
    ]);
    for (const transcript of transcripts) {
      expect(transcript).toEqual({
        code: 1,
        stdout: '',
        stderr: `sidecar-signer: no signer answers on ${listen[1]} in time; check that a signer listens there and is not suspended\n`,
      });
    }
  });

  it('is not one that takes a message for longer than that', async ({ expect }) => {
    const command = [binary, 'sign', 'demo', '--socket', socket].join(' ');
    const script = `for i in 1 2 3 4 5 6; do head -c 1000000 /dev/zero; sleep 2; done | ${command}`;
    const expected = createHmac('sha256', key).update(Buffer.alloc(6_000_000)).digest('hex');
    expect(await promisify(execFile)('sh', ['-c', script])).toMatchObject({ stdout: `${expected}\n` });
  });
});

describe('nobody listening', () => {
  it.each<[string, readonly string[], string]>([
    ['sign', ['--listen', '127.0.0.1:1'], '127.0.0.1:1'],
    ['verify', ['--listen', '[::1]:1'], '[::1]:1'],
    ['healthcheck', ['--ops-listen', '127.0.0.1:1'], '127.0.0.1:1'],
  ])('on the address of %s %j is told with what to do', async (command, target, where) => {
    const operands = { sign: ['demo'], verify: ['demo', signature] }[command] ?? [];
    expect(await run([command, ...operands, ...target], { input: message })).toEqual({
      code: 1,
      stdout: '',
      stderr: `sidecar-signer: no signer answers on ${where}; start one with "sidecar-signer serve"\n`,
    });
  });

  it('on a socket is told with the reason', async () => {
    const stale = join(directory.path, 'stale.sock');
    await leaveSocket(stale);
    for (const [path, reason] of [
      ['/nonexistent.sock', 'there is no socket at /nonexistent.sock; give the --socket that serve has'],
      [`${file}/x.sock`, `there is no socket at ${file}/x.sock; give the --socket that serve has`],
      [file, `${file} is not a socket; give the --socket that serve has`],
      [stale, `no signer answers on ${stale}; start one with "sidecar-signer serve --socket ${stale}"`],
    ] as const) {
      const refusal = { code: 1, stdout: '', stderr: `sidecar-signer: ${reason}\n` };
      expect(await run(['sign', 'demo', file, '--socket', path])).toEqual(refusal);
      expect(await run(['healthcheck', '--socket', path])).toEqual(refusal);
    }
  });

  it('at all is not what a command can ask', async () => {
    expect(await run(['sign', 'demo', file, '--listen', 'none'])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'sidecar-signer: there is no signer to call; give --listen HOST:PORT or --socket PATH\n',
    });
  });
});

describe('something that is no signer', () => {
  const answering = async (head: [number, OutgoingHttpHeaders?], text: string) => {
    const stranger = createServer((request, response) => {
      request.resume().on('end', () => response.writeHead(...head).end(text));
    });
    await once(stranger.listen(0, '127.0.0.1'), 'listening');
    const { port } = stranger.address() as AddressInfo;
    const close = () => {
      stranger.closeAllConnections();
      stranger.close();
    };
    return { address: `127.0.0.1:${port}`, [Symbol.dispose]: close };
  };
  const commands = [
    ['sign', 'demo', file],
    ['sign', 'demo', file, '--json'],
    ['verify', 'demo', signature, file],
    ['verify', 'demo', signature, file, '--json'],
    ['keys', 'list'],
    ['keys', 'list', '--json'],
  ];

  it.each([
    '<html></html>',
    'null',
    '{"headers":null,"valid":true,"keys":[null]}',
    '{"detail":"x","valid":false,"keys":[{"name":"demo"}]}',
  ])('is not believed when it answers %s', async (text) => {
    using stranger = await answering([200], text);
    const target = ['--listen', stranger.address];
    const transcripts = await Promise.all(commands.map((command) => run([...command, ...target])));
    for (const transcript of transcripts) {
      expect(transcript).toEqual({
        code: 1,
        stdout: '',
        stderr:
          'sidecar-signer: what answers there is not a signer (status 200); check --listen or --socket\n',
      });
    }
    for (const [flag, args] of [
      ['--ops-listen', []],
      ['--listen or --socket', ['--ops-listen', 'none', ...target]],
    ] as const) {
      expect(await run(['healthcheck', '--ops-listen', stranger.address, ...args])).toEqual({
        code: 1,
        stdout: '',
        stderr: `sidecar-signer: what answers there is not a signer (status 200); check ${flag}\n`,
      });
    }
  });

  it('is not followed to a signer elsewhere', async () => {
    using stranger = await answering([307, { location: `${signer.url}/v1/keys` }], '');
    expect(await run(['keys', 'list', '--listen', stranger.address])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'sidecar-signer: what answers there is not a signer (status 307); check --listen or --socket\n',
    });
  });

  it('may be unavailable, which is not a signer that is not ready', async () => {
    using stranger = await answering([503], '<html></html>');
    expect(await run(['healthcheck', '--ops-listen', stranger.address])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'sidecar-signer: what answers there is not a signer (status 503); check --ops-listen\n',
    });
  });
});

describe('healthcheck', () => {
  const silent = { stdout: '', stderr: '' };

  it('of a signer that is ready exits with 0 and prints nothing', async () => {
    expect(await run(['healthcheck', '--ops-listen', addressOf(signer.opsUrl)])).toEqual({
      code: 0,
      ...silent,
    });
  });

  it('says so in JSON with --json', async () => {
    const ready = { code: 0, stdout: '{"ready":true}\n', stderr: '' };
    expect(await run(['healthcheck', '--json', '--ops-listen', addressOf(signer.opsUrl)])).toEqual(ready);
    const { code, stdout, stderr } = await run(['healthcheck', '--json', '--ops-listen', '127.0.0.1:1']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '{"ready":false}\n' });
    expect(stderr).toContain('no signer answers on 127.0.0.1:1');
  });

  it('needs no ops listener', async () => {
    for (const target of Object.values(targets)) {
      const args = ['healthcheck', '--ops-listen', 'none', ...target()];
      expect(await run(args)).toEqual({ code: 0, ...silent });
    }
  });

  it('asks the listener that a flag names, and not the ops listener that is not named', async () => {
    const env = { SIGNER_OPS_LISTEN: addressOf(signer.opsUrl) };
    expect((await run(['healthcheck', '--socket', '/nonexistent.sock'], { env })).code).toBe(1);
    expect((await run(['healthcheck', '--listen', '127.0.0.1:1'], { env })).code).toBe(1);
    for (const args of [
      ['--socket', socket],
      ['--listen', addressOf(signer.url)],
      ['--listen', 'none'],
      ['--socket', '/nonexistent.sock', '--ops-listen', addressOf(signer.opsUrl)],
    ]) {
      expect(await run(['healthcheck', ...args], { env })).toEqual({ code: 0, ...silent });
    }
    expect(await run(['healthcheck'], { env: { ...env, SIGNER_SOCKET: '/nonexistent.sock' } })).toEqual({
      code: 0,
      ...silent,
    });
  });

  it('takes the variables that its signer has', async () => {
    const env = { SIGNER_OPS_LISTEN: 'none', SIGNER_SOCKET: socket };
    expect(await run(['healthcheck'], { env })).toEqual({ code: 0, ...silent });
  });

  it('of a signer that has no keys yet exits with 1, and with 0 once it has some', async () => {
    const keys = join(directory.path, 'later');
    const waiting = await startSigner(['--keys', keys]);
    try {
      const ops = ['healthcheck', '--ops-listen', addressOf(waiting.opsUrl)];
      const direct = ['healthcheck', '--ops-listen', 'none', '--listen', addressOf(waiting.url)];
      for (const args of [ops, direct]) {
        expect(await run(args)).toEqual({
          code: 1,
          stdout: '',
          stderr:
            'sidecar-signer: the signer is not ready: no valid keys are loaded yet, or it is stopping\n',
        });
        const { code, stdout } = await run([...args, '--json']);
        expect({ code, stdout }).toEqual({ code: 1, stdout: '{"ready":false}\n' });
      }
      mkdirSync(keys);
      writeVolume(keys, { later: randomBytes(32) });
      await waiting.ready();
      for (const args of [ops, direct]) expect(await run(args)).toEqual({ code: 0, ...silent });
    } finally {
      await waiting.stop();
    }
  });

  it('of something that is no signer says which flag to check', async () => {
    const stranger = createServer((_, response) => response.writeHead(404).end());
    stranger.listen(0, '127.0.0.1');
    const port = await waitFor(() => (stranger.address() as AddressInfo | null)?.port);
    try {
      expect(await run(['healthcheck', '--ops-listen', `127.0.0.1:${port}`])).toEqual({
        code: 1,
        stdout: '',
        stderr: 'sidecar-signer: what answers there is not a signer (status 404); check --ops-listen\n',
      });
    } finally {
      stranger.close();
    }
  });

  it('does not wait for something that never answers', async () => {
    const mute = createServer(() => undefined);
    mute.listen(0, '127.0.0.1');
    const port = await waitFor(() => (mute.address() as AddressInfo | null)?.port);
    try {
      const { code, stderr } = await run(['healthcheck', '--ops-listen', `127.0.0.1:${port}`]);
      expect(code).toBe(1);
      expect(stderr).toContain('no signer answers');
    } finally {
      mute.closeAllConnections();
      mute.close();
    }
  });
});
