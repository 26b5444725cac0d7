/** The TypeScript client against the compiled binary, on the runtime that runs the tests and, by a script, on the other. */

import { execFileSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClientOptions, SignerClient, SignerError } from '../../src/client/index.ts';
import { writeVolume } from '../support/atomic-writer.ts';
import { type Signer, startSigner, temporaryDirectory } from '../support/signer.ts';

const key = randomBytes(32);
const tagOf = (message: string | Uint8Array) => createHmac('sha256', key).update(message).digest('hex');

/** A message of which one part can be had. */
function failing(fault: Error): ReadableStream<Uint8Array> {
  let parts = 0;
  return new ReadableStream({
    pull: (controller) => {
      if (parts++ === 0) controller.enqueue(randomBytes(1000));
      else controller.error(fault);
    },
  });
}

/** A message without an end; resolves when it is cancelled, and when it is first asked for. */
function endless(): [ReadableStream<Uint8Array>, Promise<void>, Promise<void>] {
  const cancelled = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const stream = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      begun.resolve();
      await new Promise((resolve) => setTimeout(resolve, 5));
      controller.enqueue(randomBytes(10));
    },
    cancel: () => cancelled.resolve(),
  });
  return [stream, cancelled.promise, begun.promise];
}

describe.each(['tcp', 'socket'] as const)('over %s', (transport) => {
  const directory = temporaryDirectory();
  const socketPath = join(directory.path, 'signer.sock');
  let signer: Signer;
  let client: SignerClient;
  const address = (): ClientOptions => (transport === 'tcp' ? { url: signer.url } : { socketPath });

  beforeAll(async () => {
    writeVolume(join(directory.path, 'keys'), { orders: key });
    signer = await startSigner(['--keys', join(directory.path, 'keys'), '--socket', socketPath]);
    await signer.ready();
    client = new SignerClient(address());
  });
  afterAll(async () => {
    await signer.stop();
    directory[Symbol.dispose]();
  });

  it('signs, and verifies what it signed', async () => {
    const orders = client.keySet('orders', 'raw');
    const { signature, keyId, algorithm } = await orders.sign({ message: 'hello' });
    expect({ signature, algorithm }).toEqual({ signature: tagOf('hello'), algorithm: 'HS256' });
    expect(await orders.verify({ message: 'hello', signature })).toEqual({
      valid: true,
      keyId,
      primary: true,
    });
    expect(await orders.verify({ message: 'hello!', signature })).toEqual({
      valid: false,
      reason: 'mismatch',
    });
  });

  it('sends a message as it is, from bytes or from a stream', async () => {
    const orders = client.keySet('orders', 'raw');
    const message = randomBytes(100_000);
    const { signature } = await orders.signMessage(message);
    expect(signature).toBe(tagOf(message));
    const streamed = await orders.signMessage(new Blob([message]).stream());
    expect(streamed.signature).toBe(signature);
    expect(await orders.verifyMessage(message, signature)).toMatchObject({ valid: true });
  });

  it.each([
    ['a line break', 'ab\ncd'],
    ['letters beyond ASCII', '€'],
    ['NUL', '\0'],
    ['a space around it', ` ${tagOf('hello')}`],
    ['40,000 letters', 'z'.repeat(40_000)],
    ['1,025 letters', 'z'.repeat(1025)],
    ['1,024 letters', 'z'.repeat(1024)],
  ])('answers that a signature of %s is malformed', async (_, signature) => {
    const orders = client.keySet('orders', 'raw');
    const malformed = { valid: false, reason: 'malformed' };
    expect(await orders.verifyMessage(Buffer.from('hello'), signature)).toEqual(malformed);
    const [stream, cancelled] = endless();
    if (signature.length !== 1024) {
      expect(await orders.verifyMessage(stream, signature)).toEqual(malformed);
      await cancelled;
    }
  });

  it('rejects when the stream of a message fails, with what it failed by', async () => {
    const fault = new Error('the disk is gone');
    const error = await client
      .keySet('orders', 'raw')
      .signMessage(failing(fault))
      .catch((reason) => reason);
    expect(error).toBeInstanceOf(SignerError);
    expect(error.message).toContain('or the stream of the message failed');
    expect(error.cause).toBe(fault);
    expect(await client.keySets()).toHaveLength(1);
  });

  it('cancels the stream of a message when the caller ends the call', async () => {
    const [stream, cancelled, begun] = endless();
    const ending = new AbortController();
    const call = client.keySet('orders', 'raw').signMessage(stream, { signal: ending.signal });
    await begun;
    const reason = new Error('enough');
    ending.abort(reason);
    await expect(call).rejects.toBe(reason);
    await cancelled;
    expect(await client.keySets()).toHaveLength(1);
  });

  it('cancels the stream of a message that is refused before its end', async () => {
    const [stream, cancelled] = endless();
    const patient = new SignerClient({ ...address(), timeoutMs: 1_000_000 });
    const error = await patient
      .keySet('missing', 'raw')
      .signMessage(stream)
      .catch((reason) => reason);
    expect(error).toMatchObject({ code: 'unknown_key', status: 404 });
    // At once, and not when the signer closes the connection, which takes it 4 s at the least.
    const ending = new AbortController();
    const late = delay(3000, 'read on', { signal: ending.signal });
    expect(await Promise.race([cancelled.then(() => 'cancelled'), late])).toBe('cancelled');
    ending.abort();
    await late.catch(() => undefined);
  });

  it('rejects with the reason of a signal that has been aborted before, whatever the stream does', async () => {
    const reason = new Error('enough');
    const options = { signal: AbortSignal.abort(reason) };
    const locked = new Blob(['hello']).stream();
    locked.getReader();
    const hanging = new ReadableStream({ cancel: () => new Promise(() => undefined) });
    const throwing = new ReadableStream({
      cancel: () => {
        throw new Error('not now');
      },
    });
    for (const stream of [locked, hanging, throwing]) {
      await expect(client.keySet('orders', 'raw').signMessage(stream, options)).rejects.toBe(reason);
    }
  });

  it('lets the process end when the stream of a message was read by somebody else', () => {
    const script = `
      import { SignerClient } from ${JSON.stringify(join(import.meta.dirname, '../../src/client/index.ts'))};
      const stream = new Blob(['hello']).stream();
      stream.getReader();
      const client = new SignerClient(${JSON.stringify({ ...address(), timeoutMs: 1_000_000 })});
      await client.keySet('orders', 'raw').signMessage(stream).catch(({ name }) => console.log(name));`;
    const args = ['--input-type=module', '-e', script];
    // Left alone, the request would keep it for as long as the signer keeps the connection.
    const output = execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 7000 });
    expect(output.trim()).toBe('SignerError');
  });

  it('sends batches, whose results are in order and fail alone', async () => {
    const results = await client.keySet('orders', 'raw').signBatch([
      { message: 'a', reference: '1' },
      { message: 'zz', encoding: 'hex', reference: '2' },
    ]);
    expect(results[0]).toMatchObject({ signature: tagOf('a'), reference: '1' });
    expect(results[1]).toMatchObject({ error: { code: 'malformed_request' }, reference: '2' });
  });

  it('sends JSON of the most bytes that the signer takes, and refuses more itself', async () => {
    const orders = client.keySet('orders', 'raw');
    const room = (limit: number, around: object) => limit - JSON.stringify(around).length;
    const message = 'x'.repeat(room(2 ** 20, { message: '' }));
    const batched = 'x'.repeat(room(2 ** 20, { items: [{ message: '' }] }));
    expect(await orders.sign({ message })).toMatchObject({ signature: tagOf(message) });
    const results = await orders.signBatch([{ message: batched }]);
    expect(results).toMatchObject([{ signature: tagOf(batched) }]);
    const tooLarge = { name: 'SignerError', code: 'message_too_large', status: 413 };
    await expect(orders.sign({ message: `${message.slice(1)}€` })).rejects.toMatchObject({
      ...tooLarge,
      message: 'this request as JSON has at most 1048576 bytes; send the message by signMessage',
    });
    await expect(orders.signBatch([{ message: `${batched}x` }])).rejects.toMatchObject({
      ...tooLarge,
      message: 'this request as JSON has at most 1048576 bytes; send fewer items at once',
    });
  });

  it('tells a batch that is far too long from an outage', async () => {
    const orders = client.keySet('orders', 'raw');
    const items = Array.from({ length: 100 }, () => ({ message: 'x'.repeat(50_000), signature: '' }));
    for (let attempt = 0; attempt < 5; attempt++) {
      await expect(orders.signBatch(items)).rejects.toMatchObject({ code: 'message_too_large' });
      await expect(orders.verifyBatch(items)).rejects.toMatchObject({ code: 'message_too_large' });
    }
  });

  it('describes the key sets', async () => {
    const [description] = await client.keySets();
    expect(description).toMatchObject({ name: 'orders', format: 'raw', allow: ['sign', 'verify'] });
    const described = await client.keySet('orders', 'raw').describe();
    expect(described).toEqual({ caller: transport, ...description });
  });

  it('rejects with the code and the detail of the problem', async () => {
    const error = await client.keySet('nope', 'raw').sign({ message: 'x' }).catch(String);
    expect(error).toContain('GET /v1/keys lists those that it may use');
    await expect(client.keySet('nope', 'raw').sign({ message: 'x' })).rejects.toMatchObject({
      name: 'SignerError',
      code: 'unknown_key',
      status: 404,
    });
  });
});

describe('when there is no answer', () => {
  it('tries again while the signer has no keys yet, as long as the time allows', async () => {
    using directory = temporaryDirectory();
    const signer = await startSigner(['--keys', join(directory.path, 'keys')]);
    const url = signer.url;
    await expect(new SignerClient({ url, retries: 0 }).keySets()).rejects.toMatchObject({
      code: 'not_ready',
      retryAfterSeconds: 1,
    });
    const patient = new SignerClient({ url, timeoutMs: 10_000, retries: 8 }).keySets();
    writeVolume(join(directory.path, 'keys'), { orders: key });
    expect(await patient).toHaveLength(1);
    await signer.stop();
  });

  it('says that nobody is there', async () => {
    const nobody = new SignerClient({ url: 'http://127.0.0.1:1', retries: 0 });
    await expect(nobody.keySets()).rejects.toMatchObject({
      code: 'unreachable',
      status: undefined,
      message: expect.stringContaining('cannot be reached at http://127.0.0.1:1; check'),
    });
    const noSocket = new SignerClient({ socketPath: '/nonexistent/signer.sock', retries: 0 });
    await expect(noSocket.keySets()).rejects.toThrow('cannot be reached at /nonexistent/signer.sock; check');
    await expect(noSocket.keySets()).rejects.toBeInstanceOf(SignerError);
  });

  it('gives up when its time is over, or when the caller ends it', async () => {
    // Accepts connections and never says a word.
    const silent = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const address = silent.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const client = new SignerClient({ url: `http://127.0.0.1:${port}`, timeoutMs: 200 });
    await expect(client.keySets()).rejects.toMatchObject({ code: 'no_answer_in_time' });
    const reason = new Error('enough');
    await expect(client.keySets({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);

    const [stream, cancelled] = endless();
    const ending = new AbortController();
    const call = client.keySet('orders', 'raw').signMessage(stream, { signal: ending.signal });
    ending.abort(reason);
    await expect(call).rejects.toBe(reason);
    await cancelled;
    silent.close();
  });

  it('sends no more of a message that has been refused', async () => {
    const length = 50_000_000;
    let received = 0;
    const closed = Promise.withResolvers<void>();
    // Answers at once, and reads on only later.
    const refusing = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('close', () => closed.resolve());
      socket.once('data', () => {
        socket.pause();
        socket.write('HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}');
      });
      void answered.promise.then(() => {
        socket.on('data', (part) => {
          received += part.length;
        });
        socket.resume();
      });
    });
    const answered = Promise.withResolvers<void>();
    await once(refusing.listen(0, '127.0.0.1'), 'listening');
    const { port } = refusing.address() as AddressInfo;
    const orders = new SignerClient({ url: `http://127.0.0.1:${port}` }).keySet('orders', 'raw');
    await expect(orders.signMessage(new Uint8Array(length))).rejects.toMatchObject({ status: 404 });
    answered.resolve();
    await closed.promise;
    expect(received).toBeLessThan(length / 2);
    refusing.close();
  });

  it.each(['<html></html>', 'null'])('takes %j for no answer', async (text) => {
    const stranger = createHttpServer((_, response) => response.end(text));
    await once(stranger.listen(0, '127.0.0.1'), 'listening');
    const { port } = stranger.address() as AddressInfo;
    const orders = new SignerClient({ url: `http://127.0.0.1:${port}` }).keySet('orders', 'raw');
    await expect(orders.sign({ message: 'hello' })).rejects.toMatchObject({
      name: 'SignerError',
      code: 'internal',
      status: 200,
      message:
        'the answer with status 200 is not that of a signer; check the address, and the format of the key set',
    });
    stranger.closeAllConnections();
    stranger.close();
  });

  it.each<[ClientOptions, ErrorConstructor, string]>([
    [{ url: 'https://example.com/x' }, TypeError, '"url" option must be like http://127.0.0.1:8700'],
    [{ url: '127.0.0.1:8700' }, TypeError, '"url" option must be like http://127.0.0.1:8700'],
    [{ url: '' }, TypeError, '"url" option must be like http://127.0.0.1:8700'],
    [
      { socketPath: `/run/${'ü'.repeat(60)}` },
      TypeError,
      '"socketPath" option: the path of a Unix socket has at most 107',
    ],
    [{ socketPath: '@signer' }, TypeError, '"socketPath" option: expected the path of a file'],
    [{ socketPath: '' }, TypeError, '"socketPath" option: expected the path of a file'],
    ...['web=/run/signer/web.sock', '/run/a.sock,/run/b.sock', 'a=b', '/run/a=b/s.sock', ','].map(
      (socketPath): [ClientOptions, ErrorConstructor, string] => [
        { socketPath },
        TypeError,
        '"socketPath" option must be the path of one socket, without "=" or a comma. If it comes from SIGNER_SOCKET of the signer',
      ],
    ),
    ...[0, -1, 1.5, Number.NaN, 2 ** 31].map((timeoutMs): [ClientOptions, ErrorConstructor, string] => [
      { timeoutMs },
      RangeError,
      '"timeoutMs" option must be whole milliseconds from 1 to 2147483647',
    ]),
    ...[-1, 1.5, Number.NaN].map((retries): [ClientOptions, ErrorConstructor, string] => [
      { retries },
      RangeError,
      '"retries" option must be a whole number, 0 or more',
    ]),
  ])('refuses %j at once', (options, kind, message) => {
    const refused = () => new SignerClient(options);
    expect(refused).toThrow(kind);
    expect(refused).toThrow(message);
  });
});

it('reaches an IPv6 address', async () => {
  using directory = temporaryDirectory();
  writeVolume(join(directory.path, 'keys'), { orders: key });
  await using signer = await startSigner(['--keys', join(directory.path, 'keys'), '--listen', '[::1]:0']);
  await signer.ready();
  expect(signer.url).toContain('[::1]:');
  const { signature } = await new SignerClient({ url: signer.url })
    .keySet('orders', 'raw')
    .sign({ message: 'hello' });
  expect(signature).toBe(tagOf('hello'));
});

it('works by the fetch of a runtime that is neither Node nor Bun', async () => {
  using directory = temporaryDirectory();
  writeVolume(join(directory.path, 'keys'), { orders: key });
  await using signer = await startSigner(['--keys', join(directory.path, 'keys')]);
  await signer.ready();
  const script = `
    delete globalThis.process;
    const { SignerClient } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/client/index.ts'))});
    const sent = [];
    const { fetch } = globalThis;
    globalThis.fetch = (url, init) => (sent.push(url), fetch(url, init));
    const orders = new SignerClient({ url: '${signer.url}' }).keySet('orders', 'raw');
    console.log((await orders.sign({ message: 'hello' })).signature);
    console.log((await orders.signMessage(new Blob(['hello']).stream())).signature);
    console.log(sent.length);`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect(output.trim().split('\n')).toEqual([tagOf('hello'), tagOf('hello'), '2']);
});

it('works on Bun, over TCP and over a socket', async () => {
  using directory = temporaryDirectory();
  const socketPath = join(directory.path, 'signer.sock');
  writeVolume(join(directory.path, 'keys'), { orders: key });
  const signer = await startSigner(['--keys', join(directory.path, 'keys'), '--socket', socketPath]);
  await signer.ready();
  const script = `
    import { SignerClient } from ${JSON.stringify(join(import.meta.dirname, '../../src/client/index.ts'))};
    for (const options of ${JSON.stringify([{ url: signer.url }, { socketPath }])}) {
      const orders = new SignerClient(options).keySet('orders', 'raw');
      console.log((await orders.sign({ message: 'hello' })).signature);
      console.log((await orders.signMessage(new Blob(['hello']).stream())).signature);
      let parts = 0;
      const failing = new ReadableStream({
        pull: (controller) => parts++ === 0 ? controller.enqueue(new Uint8Array(9)) : controller.error(new Error('gone')),
      });
      console.log((await orders.signMessage(failing).catch((error) => error)).name);
      const cancelled = Promise.withResolvers();
      const endless = new ReadableStream({
        pull: async (controller) => { await Bun.sleep(5); controller.enqueue(new Uint8Array(9)); },
        cancel: () => cancelled.resolve('cancelled'),
      });
      const signal = AbortSignal.timeout(50);
      console.log((await orders.signMessage(endless, { signal }).catch((error) => error)) === signal.reason);
      console.log(await cancelled.promise);
      const items = Array.from({ length: 100 }, () => ({ message: 'x'.repeat(50_000) }));
      console.log((await orders.signBatch(items).catch((error) => error)).message);
    }`;
  const output = execFileSync('bun', ['-e', script], { encoding: 'utf8', timeout: 20_000 });
  const tooLarge = 'this request as JSON has at most 1048576 bytes; send fewer items at once';
  const expected = [tagOf('hello'), tagOf('hello'), 'SignerError', 'true', 'cancelled', tooLarge];
  expect(output.trim().split('\n')).toEqual([...expected, ...expected]);
  await signer.stop();
});
