/** Answers of something that is not a signer: the client believes nothing that it did not check, and reads no end of it. */

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createCall } from '../../src/client/call.ts';
import { type ClientOptions, SignerClient, SignerError } from '../../src/client/index.ts';
import { temporaryDirectory } from '../support/signer.ts';

interface Stranger extends AsyncDisposable {
  readonly address: ClientOptions;
}

/** Something that listens where the signer should. */
async function listen(server: Server, path?: string): Promise<Stranger> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await once(path === undefined ? server.listen(0, '127.0.0.1') : server.listen(path), 'listening');
  return {
    address:
      path === undefined
        ? { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
        : { socketPath: path },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const answering = (answer: RequestListener, path?: string) => listen(createHttpServer(answer), path);
const saying = (status: number, body: string | Uint8Array, headers = {}) =>
  answering((_, response) => response.writeHead(status, headers).end(body));

/** A key set of any format: a stranger does not read the request, and has one answer to all. */
const keySetOf = (stranger: Stranger, format: string) =>
  new SignerClient(stranger.address).keySet('orders', format as 'raw');

const toCheck = (status: number) =>
  status === 200 ? 'the address, and the format of the key set' : 'the address';
const notOfSigner = (status: number) => ({
  name: 'SignerError',
  code: 'internal',
  status,
  message: `the answer with status ${status} is not that of a signer; check ${toCheck(status)}`,
});

describe('a verification', () => {
  it.each([
    '{}',
    '{"valid":"true"}',
    '{"valid":1}',
    '{"valid":null}',
    '{"valid":{}}',
    '{"valid":false,"reason":"a\\nb"}',
    '{"valid":false,"reason":7}',
    '[{"valid":true}]',
    'true',
    '"valid"',
    '',
    '{"valid":true',
    '{"__proto__":{"valid":true}}',
    '{"VALID":true}',
  ])('%s is not one', async (text) => {
    await using stranger = await saying(200, text);
    const orders = new SignerClient(stranger.address).keySet('orders', 'raw');
    const refused = notOfSigner(200);
    await expect(orders.verify({ message: 'a', signature: 'b' })).rejects.toMatchObject(refused);
    await expect(orders.verifyMessage(new Uint8Array(1), 'b')).rejects.toMatchObject(refused);
  });

  it.each([
    ['jwt', '{"valid":true,"keyId":"a","primary":true}'],
    ['jwt', '{"valid":true,"keyId":"a","primary":true,"claims":["a"]}'],
    ['cookie', '{"valid":true,"keyId":"a","primary":true}'],
    ['cookie', '{"valid":true,"keyId":"a","primary":true,"value":7}'],
    ['signed-url', '{"valid":true,"keyId":"a","primary":true}'],
  ] as const)('of %s is not %s', async (format, text) => {
    await using stranger = await saying(200, text);
    const keys = keySetOf(stranger, format);
    await expect(keys.verify({ message: 'a', signature: 'b' })).rejects.toMatchObject(notOfSigner(200));
  });

  it.each([
    ['jwt', '{"valid":true,"keyId":"a","primary":true,"claims":{}}'],
    ['jwt', '{"valid":false,"reason":"expired"}'],
    ['cookie', '{"valid":true,"keyId":"a","primary":true,"value":""}'],
    ['signed-url', '{"valid":true,"keyId":"a","primary":true,"expiresAt":"2027-01-15T08:00:00.000Z"}'],
  ] as const)('of %s may be %s', async (format, text) => {
    await using stranger = await saying(200, text);
    const keys = keySetOf(stranger, format);
    expect(await keys.verify({ message: 'a', signature: 'b' })).toEqual(JSON.parse(text));
  });

  it.each(['{"valid":true,"keyId":"a","primary":true}', '{"valid":false,"reason":"mismatch"}'])(
    '%s is one',
    async (text) => {
      await using stranger = await saying(200, text);
      const orders = new SignerClient(stranger.address).keySet('orders', 'raw');
      expect(await orders.verify({ message: 'a', signature: 'b' })).toEqual(JSON.parse(text));
    },
  );
});

describe.each<[format: string, accepted: string[], refused: string[]]>([
  [
    'raw',
    ['{"signature":"a","keyId":"a","algorithm":"HS256"}', '{"signature":"a","keyId":"a","anew":{"since":7}}'],
    ['{"signature":["a"],"keyId":"a"}', '{"signature":7,"keyId":"a"}', '{"headers":{"a":"b"},"keyId":"a"}'],
  ],
  [
    'jwt',
    ['{"token":"a","keyId":"a","expiresAt":"2027-01-15T08:00:00.000Z"}'],
    ['{"token":null,"keyId":"a"}', '{"token":"","keyId":"a"}', '{"cookie":"a","keyId":"a"}'],
  ],
  ['cookie', ['{"cookie":"a","keyId":"a"}'], ['{"cookie":{},"keyId":"a"}', '{"token":"a","keyId":"a"}']],
  ['signed-url', ['{"url":"a","keyId":"a"}'], ['{"url":1,"keyId":"a"}', '{"headers":{"a":"b"},"keyId":"a"}']],
  [
    'aws-sigv4',
    [
      '{"headers":{"a":"b"},"keyId":"a"}',
      '{"url":"a","keyId":"a"}',
      '{"url":"a","fields":{"b":"c"},"keyId":"a"}',
    ],
    [
      '{"fields":{"b":"c"},"keyId":"a"}',
      '{"url":"a","fields":{"b":["c"]},"keyId":"a"}',
      '{"url":1,"headers":{"a":"b"},"keyId":"a"}',
      '{"url":"a","fields":{},"keyId":"a"}',
    ],
  ],
  ...['github', 'standard-webhooks', 'webhook', 'http-signature'].map(
    (format): [string, string[], string[]] => [
      format,
      ['{"headers":{"a":"b"},"keyId":"a"}'],
      [
        '{"headers":"a","keyId":"a"}',
        '{"headers":["a"],"keyId":"a"}',
        '{"headers":{"a":1},"keyId":"a"}',
        '{"headers":{"a":"b","c":""},"keyId":"a"}',
        '{"headers":{},"keyId":"a"}',
        '{"headers":null,"keyId":"a"}',
        '{"signature":"a","keyId":"a"}',
      ],
    ],
  ),
])('a signature of %s', (format, accepted, refused) => {
  it.each([
    '{}',
    '[]',
    '{"keyId":"a"}',
    '{"valid":true,"keyId":"a","primary":true}',
    ...refused,
    ...accepted.flatMap((text) => [
      `{"__proto__":${text}}`,
      ...['', '"keyId":7,', '"keyId":"",', '"keyId":"a\\nb",'].map((id) => text.replace(/"keyId":"a",?/, id)),
    ]),
  ])('%s is not one', async (text) => {
    await using stranger = await saying(200, text);
    const orders = keySetOf(stranger, format);
    const error = notOfSigner(200);
    await expect(orders.sign({ message: 'a' })).rejects.toMatchObject(error);
    await expect(orders.signMessage(new Uint8Array(1))).rejects.toMatchObject(error);
    await using batch = await saying(200, `{"results":[${text}]}`);
    const items = keySetOf(batch, format);
    await expect(items.signBatch([{ message: 'a' }])).rejects.toMatchObject(error);
  });

  it.each(accepted)('%s is one', async (text) => {
    await using stranger = await saying(200, text);
    const orders = keySetOf(stranger, format);
    expect(await orders.sign({ message: 'a' })).toEqual(JSON.parse(text));
  });
});

const problem = {
  type: 'about:blank',
  title: 'A title',
  status: 400,
  detail: 'a detail',
  code: 'malformed_request',
};

describe('the results of a batch', () => {
  const valid = { valid: true, keyId: 'a', primary: true };
  it.each<[unknown]>([
    [{}],
    [{ results: {} }],
    [{ results: [valid] }],
    [{ results: [valid, valid, valid] }],
    [{ results: [valid, null] }],
    [{ results: [valid, 'valid'] }],
    [{ results: [valid, { valid: 'true' }] }],
    [{ results: [valid, {}] }],
    [{ results: [valid, { error: null }] }],
    [{ results: [valid, { error: { ...problem, code: 5 } }] }],
    [{ results: [valid, { error: { ...problem, detail: 'a\u001b[31m' } }] }],
    [{ results: [valid, { error: { ...problem, title: 'a\nb' } }] }],
    [{ results: { length: 2, 0: valid, 1: valid } }],
  ])('%j are not those of a signer', async (answer) => {
    await using stranger = await saying(200, JSON.stringify(answer));
    const orders = new SignerClient(stranger.address).keySet('orders', 'raw');
    const items = [
      { message: 'a', signature: 'b' },
      { message: 'a', signature: 'b' },
    ];
    await expect(orders.verifyBatch(items)).rejects.toMatchObject(notOfSigner(200));
  });

  it('are taken if each is a verification or an error', async () => {
    const results = [valid, { error: problem, reference: 'b' }];
    await using stranger = await saying(200, JSON.stringify({ results }));
    const orders = new SignerClient(stranger.address).keySet('orders', 'raw');
    const items = [
      { message: 'a', signature: 'b' },
      { message: 'a', signature: 'b' },
    ];
    expect(await orders.verifyBatch(items)).toEqual(results);
  });
});

it.each(['{}', '{"keys":{}}', '{"keys":[null]}', '{"keys":["a"]}'])(
  '%s is no list of key sets',
  async (text) => {
    await using stranger = await saying(200, text);
    await expect(new SignerClient(stranger.address).keySets()).rejects.toMatchObject(notOfSigner(200));
  },
);

describe('an error with', () => {
  it.each<[string, object]>([
    ['a number as code', { code: 7 }],
    ['an object as code', { code: {} }],
    ['a code with a line break', { code: 'malformed_request\nx' }],
    ['a code of 65 letters', { code: 'a'.repeat(65) }],
    ['no detail', { detail: undefined }],
    ['a list as detail', { detail: ['a'] }],
    ['an escape sequence', { detail: 'a \u001b[2J b' }],
    ['a line break', { detail: 'a\nlevel=error b' }],
    ['NUL', { detail: 'a\0' }],
    ['a C1 control character', { detail: 'a\u009b31m' }],
    ['a line separator', { detail: 'a\u2028b' }],
    ['text that runs backwards', { detail: 'a\u202eb' }],
    ['half a character', { detail: 'a\ud800' }],
    ['an empty detail', { detail: '' }],
    ['a detail of 2,001 characters', { detail: 'a'.repeat(2001) }],
    ['text as status', { status: '400' }],
    ['a title with a line break', { title: 'a\rb' }],
  ])('%s is not that of a signer', async (_, changes) => {
    await using stranger = await saying(400, JSON.stringify({ ...problem, ...changes }));
    await expect(new SignerClient(stranger.address).keySets()).rejects.toMatchObject(notOfSigner(400));
  });

  it('a code of a later version keeps it', async () => {
    await using stranger = await saying(503, JSON.stringify({ ...problem, code: 'unrecorded' }));
    const error = await new SignerClient(stranger.address).keySets().catch((reason) => reason);
    expect(error).toBeInstanceOf(SignerError);
    expect(error).toMatchObject({ code: 'unrecorded', message: 'a detail', status: 503 });
  });

  it.each([
    ['-1', undefined],
    ['1e9', undefined],
    ['Infinity', undefined],
    ['NaN', undefined],
    ['', undefined],
    ['0x10', undefined],
    ['1.5', undefined],
    ['9'.repeat(400), undefined],
    ['Wed, 21 Oct 2026 07:28:00 GMT', undefined],
    ['30', 30],
    ['0', 0],
  ])('Retry-After: %s says %s', async (retryAfter, seconds) => {
    await using stranger = await saying(429, JSON.stringify({ ...problem, code: 'rate_limited' }), {
      'retry-after': retryAfter,
    });
    const error = await new SignerClient(stranger.address).keySets().catch((reason) => reason);
    expect(error).toMatchObject({ code: 'rate_limited', status: 429 });
    expect(error.retryAfterSeconds).toBe(seconds);
  });
});

it.each([301, 302, 303, 307, 308])('does not follow a redirect of status %i', async (status) => {
  let followed = 0;
  await using target = await answering((_, response) => {
    followed++;
    response.end('{"valid":true}');
  });
  await using stranger = await saying(status, '', { location: `${target.address.url}/` });
  const orders = new SignerClient(stranger.address).keySet('orders', 'raw');
  const refused = notOfSigner(status);
  await expect(orders.verify({ message: 'a', signature: 'b' })).rejects.toMatchObject(refused);
  expect(followed).toBe(0);
});

it('an answer that is not UTF-8 is not that of a signer', async () => {
  await using stranger = await saying(200, Buffer.from('{"token":"\xff"}', 'latin1'));
  const session = new SignerClient(stranger.address).keySet('session', 'jwt');
  await expect(session.sign({ claims: {} })).rejects.toMatchObject(notOfSigner(200));
});

/** Writes parts of an answer until the connection is closed; resolves with the bytes that were written by then. */
function endless(socket: Socket, head: string, part: string): Promise<number> {
  const closed = Promise.withResolvers<number>();
  let written = 0;
  socket.on('error', () => undefined);
  socket.once('close', () => closed.resolve(written));
  const write = (): void => {
    while (!socket.destroyed && socket.write(part)) written += part.length;
  };
  socket.once('data', () => {
    socket.write(head);
    socket.on('drain', write);
    write();
  });
  return closed.promise;
}

const mebibyte = 2 ** 20;
const heads = {
  'without a length': ['HTTP/1.1 200 OK\r\n\r\n{"a":"', 'x'.repeat(65_536)],
  'of a length': [`HTTP/1.1 200 OK\r\ncontent-length: ${2 ** 40}\r\n\r\n{"a":"`, 'x'.repeat(65_536)],
  'with an error': [`HTTP/1.1 400 Bad\r\n\r\n{"detail":"`, 'x'.repeat(65_536)],
} as const;

describe.each(['tcp', 'socket'] as const)('an endless answer over %s', (transport) => {
  it.each(Object.entries(heads))('%s ends after 16 MiB', async (_, [head, part]) => {
    using directory = temporaryDirectory();
    const written = Promise.withResolvers<number>();
    const server = createServer((socket) => void endless(socket, head, part).then(written.resolve));
    await using stranger = await listen(
      server,
      transport === 'socket' ? join(directory.path, 's') : undefined,
    );
    const client = new SignerClient({ ...stranger.address, timeoutMs: 60_000 });
    await expect(client.keySets()).rejects.toMatchObject({
      code: 'internal',
      status: head.includes(' 400 ') ? 400 : 200,
      message: 'the answer has more than 16777216 bytes, so it is not that of a signer; check the address',
    });
    // Beside the 16 MiB, what the kernel holds.
    expect(await written.promise).toBeLessThan(48 * mebibyte);
  });
});

it('takes an answer of 16 MiB', async () => {
  const detail = { name: 'orders', policy: { text: '' } };
  const room = 2 ** 24 - JSON.stringify(detail).length;
  detail.policy.text = 'x'.repeat(room);
  await using stranger = await saying(200, JSON.stringify(detail));
  const client = new SignerClient({ ...stranger.address, timeoutMs: 60_000 });
  expect(await client.keySet('orders', 'raw').describe()).toEqual(detail);
});

it('an answer must come in time as a whole', async () => {
  await using stranger = await answering((_, response) => {
    const timer = setInterval(() => response.write(' '), 20);
    response.once('close', () => clearInterval(timer));
  });
  const client = new SignerClient({ ...stranger.address, timeoutMs: 300 });
  await expect(client.keySets()).rejects.toMatchObject({ code: 'no_answer_in_time' });
});

describe.each<[string, () => Uint8Array | ReadableStream<Uint8Array>]>([
  ['bytes', () => new Uint8Array(10)],
  ['a stream', () => new Blob(['hello']).stream()],
  [
    'a stream without end',
    () => new ReadableStream({ pull: (sink) => sink.enqueue(new Uint8Array(65_536)) }),
  ],
  ['a stream that waits', () => new ReadableStream({ start: (sink) => sink.enqueue(new Uint8Array(10)) })],
])('an upgrade of a request with %s', (_, message) => {
  it.each(['', '{}', 'x'.repeat(70_000)])('is not that of a signer, and ends the call', async (rest) => {
    const closed = Promise.withResolvers<void>();
    const server = createServer((socket) => {
      socket.once('close', () => closed.resolve()).resume();
      socket.write(`HTTP/1.1 101 x\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n${rest}`);
    });
    await using stranger = await listen(server);
    const orders = new SignerClient({ ...stranger.address, timeoutMs: 60_000 }).keySet('orders', 'raw');
    await expect(orders.signMessage(message())).rejects.toMatchObject(notOfSigner(101));
    await closed.promise;
  });
});

it('a transport that never settles outlasts neither the time nor the signal', async () => {
  const address = 'http://127.0.0.1:8700';
  const never = () => new Promise<never>(() => undefined);
  const call = (timeoutMs: number) => createCall({ address, transport: never, timeoutMs, retries: 2 });
  const request = { path: '/v1/keys', method: 'GET', headers: {} } as const;
  await expect(call(50)(request)).rejects.toMatchObject({ code: 'no_answer_in_time' });
  const aborter = new AbortController();
  const reason = new Error('the user left');
  const refused = expect(call(60_000)(request, { signal: aborter.signal })).rejects.toBe(reason);
  aborter.abort(reason);
  await refused;
  await expect(call(60_000)(request, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

it.each([
  [431, 'the request has too many or too long headers (status 431); send fewer or shorter ones'],
  [414, 'the request has too long a path (status 414); check the name of the key set'],
])('status %i without a problem says what is too long', async (status, message) => {
  await using stranger = await saying(status, '');
  const refused = { name: 'SignerError', code: 'malformed_request', status, message };
  await expect(new SignerClient(stranger.address).keySets()).rejects.toMatchObject(refused);
});

it('the same holds on Bun', async () => {
  using directory = temporaryDirectory();
  const socketPath = join(directory.path, 's');
  const head = heads['without a length'];
  const written: Promise<number>[] = [];
  const flood = () => createServer((socket) => void written.push(endless(socket, ...head)));
  await using overTcp = await listen(flood());
  await using overSocket = await listen(flood(), socketPath);
  await using compressed = await saying(200, gzipSync(`{"a":"${'x'.repeat(200 * mebibyte)}"}`), {
    'content-encoding': 'gzip',
  });
  await using untrue = await saying(200, '{"valid":"true"}');
  await using elsewhere = await saying(307, '', { location: `${untrue.address.url}/` });
  await using upgrading = await listen(
    createServer((socket) =>
      socket.resume().write('HTTP/1.1 101 x\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
    ),
  );
  await using forged = await saying(400, JSON.stringify({ ...problem, detail: 'a\nb' }));
  const script = `
    import { SignerClient } from ${JSON.stringify(join(import.meta.dirname, '../../src/client/index.ts'))};
    for (const address of ${JSON.stringify([overTcp, overSocket, compressed, untrue, elsewhere, forged, upgrading].map(({ address }) => address))}) {
      const orders = new SignerClient({ ...address, timeoutMs: 60_000 }).keySet('orders', 'raw');
      const error = await orders.verify({ message: 'a', signature: 'b' }).catch((error) => error);
      console.log(error.code, error.message.split(/ is not that| at http/)[0]);
    }
    // Not \`maxRSS\`: the kernel starts it at the peak of the process that started this one.
    const status = await Bun.file('/proc/self/status').text();
    console.log(Number(/^VmHWM:\\s*(\\d+) kB$/m.exec(status)[1]) < 300_000);
    process.exit();`;
  const { stdout } = await promisify(execFile)('bun', ['-e', script], { timeout: 50_000 });
  const tooLong = 'internal the answer has more than 16777216 bytes, so it';
  expect(stdout.trim().split('\n')).toEqual([
    tooLong,
    tooLong,
    'internal the answer with status 200',
    'internal the answer with status 200',
    'internal the answer with status 307',
    'internal the answer with status 400',
    'unreachable the signer cannot be reached',
    'true',
  ]);
  for (const bytes of await Promise.all(written)) expect(bytes).toBeLessThan(48 * mebibyte);
});
