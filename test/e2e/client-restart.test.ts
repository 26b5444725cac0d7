/** The TypeScript client while the signer restarts, on the runtime that runs the tests and, by a script, on Bun. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClientOptions, SignerClient } from '../../src/client/index.ts';
import { writeVolume } from '../support/atomic-writer.ts';
import { freePort } from '../support/free-port.ts';
import { type Signer, startSigner, temporaryDirectory } from '../support/signer.ts';

const key = randomBytes(32);
const tagOf = (message: string | Uint8Array) => createHmac('sha256', key).update(message).digest('hex');
/** Longer than any test waits on purpose: only what a test says may end a call. */
const timeoutMs = 50_000;
/** While a signer that has just started reads its keys, it answers 503. Under load this can take some seconds. */
const patient = { timeoutMs, retries: 40 };

const directory = temporaryDirectory();
const keys = join(directory.path, 'keys');
const socketPath = join(directory.path, 'signer.sock');
let port: number;
beforeAll(async () => {
  writeVolume(keys, { orders: key });
  port = await freePort();
});
afterAll(() => directory[Symbol.dispose]());

const start = () => startSigner(['--keys', keys, '--listen', `127.0.0.1:${port}`, '--socket', socketPath]);
const kill = async (signer: Signer) => {
  const exit = once(signer.process, 'exit');
  signer.process.kill('SIGKILL');
  await exit;
};
const endings = { SIGTERM: (signer: Signer) => signer.stop(), SIGKILL: kill };

describe.each(['tcp', 'localhost', 'socket'] as const)('over %s', (transport) => {
  const address = (): ClientOptions =>
    transport === 'socket'
      ? { socketPath }
      : { url: `http://${transport === 'tcp' ? '127.0.0.1' : 'localhost'}:${port}` };

  it.each(Object.entries(endings))('waits for a signer that was ended by %s', async (_, end) => {
    const orders = new SignerClient({ ...address(), ...patient }).keySet('orders', 'raw');
    const before = await start();
    await before.ready();
    expect(await orders.sign({ message: 'hello' })).toMatchObject({ signature: tagOf('hello') });
    await end(before);
    const message = randomBytes(200_000);
    const calls = [orders.sign({ message: 'hello' }), orders.signMessage(message)];
    await delay(700);
    await using _after = await start();
    const signatures = (await Promise.all(calls)).map(({ signature }) => signature);
    expect(signatures).toEqual([tagOf('hello'), tagOf(message)]);
  });

  it.each(Object.entries(endings))('no call fails while the signer is ended by %s', async (_, end) => {
    const orders = new SignerClient({ ...address(), ...patient }).keySet('orders', 'raw');
    const before = await start();
    await before.ready();
    let isOver = false;
    let calls = 0;
    const callers = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        expect(await orders.sign({ message: 'hello' })).toMatchObject({ signature: tagOf('hello') });
        calls++;
      }
    });
    await delay(300);
    await end(before);
    const early = calls;
    await using after = await start();
    await after.ready();
    await delay(300);
    isOver = true;
    await Promise.all(callers);
    expect(early).toBeGreaterThan(0);
    expect(calls).toBeGreaterThan(early);
  });
});

describe('while nobody listens', () => {
  const nobody = (): ClientOptions[] => [
    { url: `http://127.0.0.1:${port}` },
    { socketPath: join(directory.path, 'none.sock') },
  ];

  it('a call fails when its time is nearly over, and says that the signer cannot be reached', async () => {
    for (const address of nobody()) {
      const began = performance.now();
      const call = new SignerClient({ ...address, timeoutMs: 1500 }).keySets();
      await expect(call).rejects.toMatchObject({ code: 'unreachable', status: undefined });
      expect(performance.now() - began).toBeGreaterThan(1000);
    }
  });

  it('a call fails at once without retries', async () => {
    for (const address of nobody()) {
      const client = new SignerClient({ ...address, timeoutMs: 1_000_000, retries: 0 });
      await expect(client.keySets()).rejects.toMatchObject({ code: 'unreachable' });
    }
  });

  it('a call ends with its signal, and cancels a stream that was not read', async () => {
    for (const address of nobody()) {
      const reason = new Error('enough');
      const ending = new AbortController();
      const cancelled = Promise.withResolvers<unknown>();
      const stream = new ReadableStream({ cancel: cancelled.resolve }, { highWaterMark: 0 });
      const orders = new SignerClient({ ...address, timeoutMs: 1_000_000 }).keySet('orders', 'raw');
      const call = orders.signMessage(stream, { signal: ending.signal });
      await delay(100);
      ending.abort(reason);
      await expect(call).rejects.toBe(reason);
      expect(await cancelled.promise).toBe(reason);
    }
  });
});

/** Closes the connection of each request that the list says, and answers the others. */
async function breaking(isBroken: readonly boolean[], at = 0) {
  const bodies: string[] = [];
  const server: Server = createServer((request, response) => {
    const breaks = isBroken[bodies.length] ?? isBroken.at(-1);
    const index = bodies.push('') - 1;
    void text(request).then(
      (body) => {
        bodies[index] = body;
        if (breaks) request.socket.destroy();
        else response.end('{"signature":"ab","keyId":"c","algorithm":"HS256"}');
      },
      () => undefined,
    );
  });
  await once(server.listen(at, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    bodies,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

it('a stream is sent as soon as somebody listens', async () => {
  const orders = new SignerClient({ url: `http://127.0.0.1:${port}`, timeoutMs }).keySet('orders', 'raw');
  const call = orders.signMessage(new Blob(['hello']).stream());
  await delay(300);
  await using server = await breaking([false], port);
  expect(await call).toMatchObject({ signature: 'ab' });
  expect(server.bodies).toEqual(['hello']);
});

describe('when the connection breaks before the answer', () => {
  it('the same request is sent again', async () => {
    await using server = await breaking([true, true, false]);
    const orders = new SignerClient({ url: server.url, timeoutMs }).keySet('orders', 'raw');
    expect(await orders.signMessage(Buffer.from('hello'))).toMatchObject({ signature: 'ab' });
    expect(server.bodies).toEqual(['hello', 'hello', 'hello']);
  });

  it('also when it was idle', async () => {
    await using server = await breaking([false, true, false]);
    const orders = new SignerClient({ url: server.url, timeoutMs, retries: 1 }).keySet('orders', 'raw');
    expect(await orders.sign({ message: 'a' })).toMatchObject({ signature: 'ab' });
    expect(await orders.sign({ message: 'b' })).toMatchObject({ signature: 'ab' });
    expect(server.bodies).toEqual(['{"message":"a"}', '{"message":"b"}', '{"message":"b"}']);
  });

  it.each([0, 1, 2])('it is sent %i more times at the most', async (retries) => {
    await using server = await breaking([true]);
    const orders = new SignerClient({ url: server.url, timeoutMs, retries }).keySet('orders', 'raw');
    await expect(orders.sign({ message: 'a' })).rejects.toMatchObject({ code: 'unreachable' });
    expect(server.bodies).toHaveLength(1 + retries);
  });

  it('a stream is not sent again', async () => {
    await using server = await breaking([true, false]);
    const orders = new SignerClient({ url: server.url, timeoutMs }).keySet('orders', 'raw');
    const call = orders.signMessage(new Blob(['hello']).stream());
    await expect(call).rejects.toMatchObject({ code: 'unreachable' });
    expect(server.bodies).toHaveLength(1);
  });
});

it('a stream that fails is not taken for a signer that is away', async () => {
  await using server = await breaking([false]);
  const orders = new SignerClient({ url: server.url, timeoutMs: 1_000_000 }).keySet('orders', 'raw');
  const missing = Object.assign(new Error('no such file'), { code: 'ENOENT' });
  const failing = new ReadableStream({ pull: (controller) => controller.error(missing) });
  await expect(orders.signMessage(failing)).rejects.toMatchObject({ code: 'unreachable', cause: missing });
});

it('the same holds on Bun', async () => {
  await using broken = await breaking([true, true, false, true]);
  const laterPort = await freePort();
  const file = join(directory.path, 'message');
  writeFileSync(file, 'hello');
  const script = `
    import { SignerClient } from ${JSON.stringify(join(import.meta.dirname, '../../src/client/index.ts'))};
    const timeoutMs = ${timeoutMs};
    const patient = ${JSON.stringify(patient)};
    const message = new Uint8Array(200_000);
    const calls = ${JSON.stringify([{ url: `http://127.0.0.1:${port}` }, { socketPath }])}.flatMap((address) => {
      const orders = new SignerClient({ ...address, ...patient }).keySet('orders', 'raw');
      return [orders.sign({ message: 'hello' }), orders.signMessage(message)];
    });
    const laterOrders = new SignerClient({ url: 'http://127.0.0.1:${laterPort}', timeoutMs }).keySet('orders', 'raw');
    // Of a stream whose bytes are all in memory, Bun takes possession before it connects.
    const stream = Bun.file(${JSON.stringify(file)}).stream();
    calls.push(laterOrders.signMessage(stream));
    for (const { signature } of await Promise.all(calls)) console.log(signature);
    const code = (call) => call.then(({ signature }) => signature, ({ code }) => code);
    const orders = new SignerClient({ url: '${broken.url}', timeoutMs }).keySet('orders', 'raw');
    console.log(await code(orders.signMessage(new TextEncoder().encode('hello'))));
    console.log(await code(orders.signMessage(new Blob(['hello']).stream())));
    const missing = Object.assign(new Error('no such file'), { code: 'ENOENT' });
    const failing = new ReadableStream({ pull: (controller) => controller.error(missing) });
    console.log(await code(orders.signMessage(failing)));
    for (const address of [{ url: 'http://127.0.0.1:1' }, { socketPath: '/nonexistent/signer.sock' }]) {
      console.log(await code(new SignerClient({ ...address, timeoutMs: 300 }).keySets()));
      console.log(await code(new SignerClient({ ...address, timeoutMs: 1_000_000, retries: 0 }).keySets()));
    }
    const ending = new AbortController();
    const cancelled = Promise.withResolvers();
    const unread = new ReadableStream({ cancel: () => cancelled.resolve('cancelled') }, { highWaterMark: 0 });
    const waiting = new SignerClient({ url: 'http://127.0.0.1:1', timeoutMs: 1_000_000 }).keySet('orders', 'raw');
    const call = waiting.signMessage(unread, { signal: ending.signal });
    await Bun.sleep(100);
    ending.abort(new Error('enough'));
    console.log((await call.catch((error) => error)).message, await cancelled.promise);
    process.exit();`;
  const child: ChildProcess = spawn('bun', ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout?.on('data', (part) => {
    output += part;
  });
  const exit = once(child, 'exit');
  await delay(700);
  await using _signer = await start();
  await using later = await breaking([false], laterPort);
  await exit;
  expect(later.bodies).toEqual(['hello']);
  const both = [tagOf('hello'), tagOf(new Uint8Array(200_000))];
  expect(output.trim().split('\n')).toEqual([
    ...both,
    ...both,
    'ab',
    'ab',
    'unreachable',
    'unreachable',
    ...Array.from({ length: 4 }, () => 'unreachable'),
    'enough cancelled',
  ]);
});
