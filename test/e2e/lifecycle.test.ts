/** The life of the process: without keys, ready, told to stop; and what it says of itself. */

import type { ChildProcess } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeVolume } from '../support/atomic-writer.ts';
import { begin, post, write } from '../support/exchange.ts';
import { type Signer, startSigner, temporaryDirectory, waitFor } from '../support/signer.ts';

const key = randomBytes(32).toString('hex');
const message = 'hello';
const tag = createHmac('sha256', key).update(message).digest('hex');
const sign = '/v1/keys/demo/sign';

function volume(): Disposable & { readonly path: string } {
  const directory = temporaryDirectory();
  writeVolume(directory.path, { demo: key });
  return directory;
}

/** A signer that is ready; its volume goes with it. */
async function serving(...flags: readonly string[]): Promise<Signer & { readonly directory: string }> {
  const { path, [Symbol.dispose]: remove } = volume();
  const signer = await startSigner(['--keys', path, ...flags]);
  await signer.ready();
  const end = async () => {
    await signer[Symbol.asyncDispose]();
    remove();
  };
  return { ...signer, directory: path, [Symbol.asyncDispose]: end };
}

async function signs(signer: Signer): Promise<boolean> {
  return (await post(signer.url, sign, { message })).body['signature'] === tag;
}

async function probe(signer: Signer, path: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(signer.opsUrl + path);
  return { status: response.status, body: await response.json() };
}

/** Whether a new connection is refused. */
async function refused(signer: Signer): Promise<boolean> {
  return post(signer.url, sign, { message }).then(
    () => false,
    (error) => error.code === 'ECONNREFUSED',
  );
}

/** Resolves with the exit code and the signal of a process that ends. */
function ended(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return Promise.resolve([child.exitCode, child.signalCode]);
  }
  return once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
}

describe('a signer without keys', () => {
  it('lives, is not ready, answers 503, and serves as soon as the directory appears', async () => {
    using directory = temporaryDirectory();
    const keys = join(directory.path, 'later');
    await using signer = await startSigner(['--keys', keys]);

    expect(await probe(signer, '/livez')).toEqual({ status: 200, body: { live: true } });
    expect(await probe(signer, '/readyz')).toEqual({ status: 503, body: { ready: false } });
    const answer = await post(signer.url, sign, { message });
    expect(answer).toMatchObject({ status: 503, body: { code: 'not_ready' } });
    expect(answer.headers['retry-after']).toBe('1');
    await waitFor(() => (signer.output().includes('does not exist (yet)') ? true : undefined));

    writeVolume(keys, { demo: key });
    await signer.ready();
    expect(await signs(signer)).toBe(true);
  });
});

describe('what a signer says of itself', () => {
  it('is live, ready and a status of names, counts and times', async () => {
    await using signer = await serving();

    expect(await probe(signer, '/livez')).toEqual({ status: 200, body: { live: true } });
    expect(await probe(signer, '/readyz')).toEqual({ status: 200, body: { ready: true } });
    const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(await probe(signer, '/status')).toEqual({
      status: 200,
      body: {
        version: expect.stringMatching(/^\d+\.\d+\.\d+/),
        ready: true,
        stopping: false,
        startedAt: instant,
        generation: 1,
        loadedAt: instant,
        keySets: 1,
        keys: [
          {
            name: 'demo',
            format: 'raw',
            algorithm: 'HS256',
            callers: { tcp: ['sign', 'verify'] },
            since: instant,
            keys: [{ id: expect.stringMatching(/^[0-9a-f]{16}$/), role: 'primary', lastUsed: {} }],
          },
        ],
        listeners: [{ caller: 'tcp', addresses: expect.arrayContaining([new URL(signer.url).host]) }],
        ops: expect.arrayContaining([new URL(signer.opsUrl).host]),
        volumes: [
          {
            directory: signer.directory,
            content: 'keys',
            layout: 'atomic',
            generation: 1,
            lastSuccess: instant,
            watcher: expect.stringMatching(/^(up|down)$/),
            rescuedByPoll: 0,
            rejected: 0,
            problems: [],
          },
        ],
      },
    });
    expect(await probe(signer, '/openapi.json')).toMatchObject({ status: 200, body: { openapi: '3.1.0' } });
    expect((await probe(signer, '/v1/keys')).status).toBe(404);
  });

  it('holds no byte of a key in any encoding, on no listener and in no log line', async () => {
    await using signer = await serving();
    const said = await Promise.all([
      ...['/livez', '/readyz', '/status', '/metrics', '/openapi.json'].map(async (path) =>
        (await fetch(signer.opsUrl + path)).text(),
      ),
      ...['/v1/keys', '/v1/keys/demo'].map(async (path) => (await signer.call(path)).text()),
    ]);
    // A reading that is refused is reported as well.
    const refusedKey = `${randomBytes(24).toString('base64')}\n`;
    writeVolume(signer.directory, { demo: key, broken: refusedKey });
    await waitFor(() => (signer.output().includes('ends with a newline') ? true : undefined));
    said.push(signer.output(), await (await fetch(`${signer.opsUrl}/status`)).text());

    for (const secret of [key, refusedKey.trim()]) {
      for (const encoding of ['utf8', 'hex', 'base64', 'base64url'] as const) {
        const written = Buffer.from(secret).toString(encoding).slice(0, 24);
        expect(said.filter((text) => text.includes(written))).toEqual([]);
      }
    }
    expect(said.join('')).toContain('"demo"');
  });
});

describe('SIGTERM', () => {
  it('turns readiness off, refuses new connections, and lets an upload under way finish', async () => {
    await using signer = await serving();
    const upload = begin(signer.url, sign);
    await write(upload, message.slice(0, 2));
    // An answer to a later request shows that the upload has been taken up.
    expect(await signs(signer)).toBe(true);

    const exit = signer.stop();
    await waitFor(async () => ((await refused(signer)) ? true : undefined));
    expect(await probe(signer, '/readyz')).toEqual({ status: 503, body: { ready: false } });
    expect((await probe(signer, '/livez')).status).toBe(200);
    upload.request.end(message.slice(2));

    const { status, headers, body } = await upload.answer;
    expect({ status, connection: headers.connection, signature: body['signature'] }).toEqual({
      status: 200,
      connection: 'close',
      signature: tag,
    });
    expect(await exit).toBe(0);
    expect(signer.output()).toContain('"msg":"stopped"');
  });

  it('with --shutdown-delay turns readiness off, and serves new connections on until then', async () => {
    await using signer = await serving('--shutdown-delay', '2');
    const from = performance.now();
    const exit = signer.stop();
    await waitFor(async () => ((await probe(signer, '/readyz')).status === 503 ? true : undefined));
    while (performance.now() - from < 1500) expect(await signs(signer)).toBe(true);
    expect(await exit).toBe(0);
    expect(performance.now() - from).toBeGreaterThan(2000);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('%s ends an idle signer with exit code 0', async (signal) => {
    await using signer = await serving();
    // A connection that is only kept open holds nothing up.
    const agent = new Agent({ keepAlive: true });
    await post(signer.url, sign, { message }, { agent });
    const from = performance.now();
    signer.process.kill(signal);
    expect(await ended(signer.process)).toEqual([0, null]);
    expect(performance.now() - from).toBeLessThan(3000);
    agent.destroy();
  });

  it('told twice, still ends in order', async () => {
    await using signer = await serving('--shutdown-delay', '1');
    const exit = signer.stop();
    await waitFor(async () => ((await probe(signer, '/readyz')).status === 503 ? true : undefined));
    signer.process.kill('SIGTERM');
    expect(await signs(signer)).toBe(true);
    expect(await exit).toBe(0);
    expect(signer.output()).toContain('"msg":"stopped"');
  });

  it('waits at most its time of grace for an upload that never ends', async () => {
    await using signer = await serving();
    const upload = begin(signer.url, sign);
    await write(upload, 'half a message');
    expect(await signs(signer)).toBe(true);
    const from = performance.now();
    const abandoned = upload.answer.then(
      ({ status }) => status,
      () => 'closed',
    );
    expect(await signer.stop()).toBe(0);
    // Five seconds, and room for a busy machine.
    expect(performance.now() - from).toBeLessThan(12_000);
    expect([408, 'closed']).toContain(await abandoned);
  });

  it('loses no request of a connection that is in use', async () => {
    await using signer = await serving();
    const outcomes = { answered: 0, closing: 0, wrong: 0, refused: 0, lost: 0 };
    let stopped = false;

    /** Requests one after the other on one connection, for as long as the signer keeps it open. */
    const storm = async () => {
      while (!stopped) {
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        for (let asked = 0; ; asked++) {
          const outcome = await post(signer.url, sign, { message }, { agent }).catch((error) => error);
          if (outcome instanceof Error) {
            // A connection on which nothing was answered yet may be one that nobody had accepted.
            if (asked > 0) outcomes.lost++;
            else outcomes.refused++;
            break;
          }
          outcomes.answered++;
          if (outcome.body.signature !== tag) outcomes.wrong++;
          if (outcome.headers.connection === 'close') {
            outcomes.closing++;
            break;
          }
        }
        agent.destroy();
      }
    };
    const storms = Array.from({ length: 32 }, storm);
    await waitFor(() => (outcomes.answered > 1000 ? true : undefined));
    const code = await signer.stop();
    stopped = true;
    await Promise.all(storms);

    expect(code).toBe(0);
    expect(outcomes).toMatchObject({ wrong: 0, lost: 0 });
    expect(outcomes.closing).toBeGreaterThanOrEqual(32);
  });
});

describe('a signal that is not about stopping', () => {
  it.each(['SIGUSR1', 'SIGUSR2', 'SIGHUP', 'SIGPIPE'] as const)('%s is survived', async (signal) => {
    await using signer = await serving();
    for (let i = 0; i < 3; i++) {
      signer.process.kill(signal);
      expect(await signs(signer)).toBe(true);
    }
    expect(signer.process.exitCode ?? signer.process.signalCode).toBeNull();
  });
});
