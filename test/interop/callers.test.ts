/** The HTTP clients of other languages, as they are by default, against the compiled binary: the programs are in callers/. */

import { execFile, spawnSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeVolume } from '../support/atomic-writer.ts';
import { type Signer, startSigner, temporaryDirectory } from '../support/signer.ts';

const run = promisify(execFile);
const sources = join(import.meta.dirname, 'callers');
const directory = temporaryDirectory();
const built = join(directory.path, 'built');
const socket = join(directory.path, 'signer.sock');
const [orders, hooks] = [randomBytes(32), randomBytes(32)];
const tagOf = (key: Uint8Array, message: string) => createHmac('sha256', key).update(message).digest('hex');

interface Caller {
  /** What succeeds on a machine that has the language. */
  readonly needs: string;
  /** Makes the program of it once. */
  readonly build?: readonly [string, ...string[]];
  /** How it is called, over each transport that it has. */
  readonly over: Readonly<Record<string, (url: string) => readonly [string, ...string[]]>>;
}

const source = (name: string) => join(sources, name);
const callers: Readonly<Record<string, Caller>> = {
  'HttpClient of Java': {
    needs: 'javac --version',
    build: ['javac', '-d', built, source('Caller.java')],
    // It has no sockets.
    over: { TCP: (url) => ['java', '-cp', built, 'Caller', url] },
  },
  'urllib of Python': {
    needs: 'python3 --version',
    over: { TCP: (url) => ['python3', source('caller.py'), 'urllib', url] },
  },
  'http.client of Python': {
    needs: 'python3 --version',
    over: {
      TCP: (url) => ['python3', source('caller.py'), 'http.client', url],
      'the socket': () => ['python3', source('caller.py'), 'http.client', socket],
    },
  },
  'net/http of Go': {
    needs: 'go version',
    build: ['go', 'build', '-o', join(built, 'caller'), source('caller.go')],
    over: {
      TCP: (url) => [join(built, 'caller'), url],
      'the socket, as http://unix/': () => [join(built, 'caller'), socket],
    },
  },
  'Net::HTTP of Ruby': {
    needs: 'ruby --version',
    over: {
      TCP: (url) => ['ruby', source('caller.rb'), url],
      'the socket': () => ['ruby', source('caller.rb'), socket],
    },
  },
  curl: {
    needs: 'curl --version',
    over: {
      TCP: (url) => ['bash', source('caller.sh'), url],
      'the socket, as http://signer/': () => ['bash', source('caller.sh'), 'http://signer', socket],
      'the socket, as http://localhost/': () => ['bash', source('caller.sh'), 'http://localhost', socket],
    },
  },
  'fetch of Node': {
    needs: 'true',
    over: { TCP: (url) => [process.execPath, source('caller.ts'), url] },
  },
};

let signer: Signer;
beforeAll(async () => {
  const [keys, config] = [join(directory.path, 'keys'), join(directory.path, 'config')];
  writeVolume(keys, { orders, hooks });
  writeVolume(config, { 'signer.yaml': 'keys: { orders: {}, hooks: { format: github } }' });
  signer = await startSigner(['--keys', keys, '--config', join(config, 'signer.yaml'), '--socket', socket]);
  await signer.ready();
});
afterAll(async () => {
  await signer?.stop();
  directory[Symbol.dispose]();
});

/** The answers that a caller printed, by step: the status, and the body. */
async function answersOf([file, ...args]: readonly [string, ...string[]]) {
  const { stdout } = await run(file, args, { timeout: 120_000, maxBuffer: 2 ** 24 });
  const answers: Record<string, (readonly [number, object])[]> = {};
  for (const line of stdout.trim().split('\n')) {
    const [, step = '', status, body = ''] = /^(\S+) (\d+) (.*)$/.exec(line) ?? [];
    answers[step] = [...(answers[step] ?? []), [Number(status), JSON.parse(body)]];
  }
  return answers;
}

describe.each(Object.entries(callers))('%s', (_, { needs, build, over }) => {
  const has = spawnSync('bash', ['-c', needs]).status === 0;
  const notHere = has ? '' : ` (skipped: "${needs}" fails here)`;

  beforeAll(async () => {
    if (has && build !== undefined) await run(build[0], build.slice(1));
  }, 300_000);

  it.for(
    Object.entries(over).map(([name, command]) => ({
      name: `signs and verifies over ${name}${notHere}`,
      command,
    })),
  )('$name', { timeout: 180_000 }, async ({ command }, { skip }) => {
    if (!has) skip();
    const answers = await answersOf(command(signer.url));
    const valid = [200, { valid: true, keyId: expect.any(String), primary: true }];
    const problem = (status: number, code: string) => [
      status,
      expect.objectContaining({ status, code, detail: expect.any(String) }),
    ];
    const signed = (message: string) => [
      200,
      { signature: tagOf(orders, message), keyId: expect.any(String), algorithm: 'HS256' },
    ];
    const webhook = { 'X-Hub-Signature-256': `sha256=${tagOf(hooks, '{"action":"opened"}')}` };
    expect(answers).toEqual({
      sign: [signed('hello')],
      verify: [valid],
      'sign-webhook': [[200, { headers: webhook, keyId: expect.any(String) }]],
      'verify-webhook': [valid],
      'sign-stream': [signed('x'.repeat(5_000_000))],
      'verify-stream': [valid],
      problem: [problem(400, 'malformed_request')],
      'too-large': Array.from({ length: 30 }, () => problem(413, 'message_too_large')),
    });
  });
});
