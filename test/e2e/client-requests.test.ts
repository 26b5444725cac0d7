/** What applications give to the TypeScript client: headers of every kind, claims, names, options. */

import { execFile } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClientOptions, SignerClient, SignerError } from '../../src/client/index.ts';
import { type ConfiguredSigner, startConfigured } from '../support/configured.ts';

const secret = 'a secret that is long enough for a webhook';
const aws = {
  accessKeyId: 'AKIDEXAMPLE',
  services: ['s3'],
  regions: ['eu-central-1'],
  maxPostBytes: 1000,
};
let running: ConfiguredSigner;
let client: SignerClient;
beforeAll(async () => {
  running = await startConfigured(
    {
      hooks: secret,
      session: randomBytes(32),
      uploads: randomBytes(30).toString('base64'),
      orders: randomBytes(32),
      partner: randomBytes(32),
    },
    {
      hooks: { encoding: 'text', format: 'github' },
      session: { format: 'jwt' },
      uploads: { encoding: 'text', format: 'aws-sigv4', 'aws-sigv4': aws },
      orders: {},
      partner: {
        format: 'http-signature',
        'http-signature': { components: ['@method', '@target-uri', 'x-order'] },
      },
    },
  );
  client = running.client;
});
afterAll(() => running[Symbol.asyncDispose]());

const body = '{"action":"opened"}';
const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;

/** Headers as node:http gives them to a server. */
async function received(): Promise<IncomingHttpHeaders> {
  const server = createServer((_, response) => response.end());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const request = once(server, 'request');
  const headers = new Headers([
    ['X-Hub-Signature-256', signature],
    ['Cookie', 'a=1'],
  ]);
  await fetch(`http://127.0.0.1:${port}`, { headers });
  server.close();
  const [{ headers: asReceived }] = await request;
  return { ...asReceived, host: undefined, 'set-cookie': ['a=1', 'b=2'] };
}

const pair = ['X-Hub-Signature-256', signature] as const;
const kinds = {
  Headers: () => new Headers([[...pair]]),
  'the headers of a Request': () => new Request('http://example.com', { headers: [[...pair]] }).headers,
  'a Map': () => new Map([pair]),
  'a Map of lists': () => new Map([[pair[0], [pair[1]]]]),
  'a Map with an absent value': () => new Map<string, string | undefined>([pair, ['x', undefined]]),
  'a list of pairs': () => [pair, ['Cookie', 'a=1'], ['cookie', 'b=2']] as const,
  'a generator of pairs': () => [pair].values(),
  'an object': () => Object.fromEntries([pair]),
  'an object without a prototype': () => Object.assign(Object.create(null), Object.fromEntries([pair])),
  'an object of lists': () => ({ [pair[0]]: [pair[1]] }),
  'the headers of node:http': received,
};

describe.each(Object.entries(kinds))('%s', (_, headers) => {
  it('are headers of a webhook, alone and in a batch', async () => {
    const hooks = client.keySet('hooks', 'github');
    expect(await hooks.verify({ body, headers: await headers() })).toMatchObject({ valid: true });
    expect(await hooks.verify({ body: '{}', headers: await headers() })).toEqual({
      valid: false,
      reason: 'mismatch',
    });
    expect(await hooks.verifyBatch([{ body, headers: await headers(), reference: 'a' }])).toMatchObject([
      { valid: true, reference: 'a' },
    ]);
  });

  it('are headers that a signature covers', async () => {
    const uploads = client.keySet('uploads', 'aws-sigv4');
    const request = { method: 'GET', url: 'https://bucket.s3.eu-central-1.amazonaws.com/a' };
    const covered = expect.objectContaining({
      Authorization: expect.stringMatching(/SignedHeaders=[^,]*;x-hub-signature-256[;,]/),
    });
    expect(await uploads.sign({ ...request, headers: await headers() })).toMatchObject({ headers: covered });
    expect(await uploads.signBatch([{ ...request, headers: await headers() }])).toMatchObject([
      { headers: covered },
    ]);
  });
});

it('sends a repeated header as the list of its values', async () => {
  const partner = client.keySet('partner', 'http-signature');
  const request = { method: 'GET', url: 'https://example.com/' };
  const list = await partner.sign({ ...request, headers: { 'x-order': ['1', '2'] } });
  const pairs = [['X-Order', '1'], ...Object.entries(list.headers), ['x-order', '2']] as [string, string][];
  expect(await partner.verify({ ...request, headers: pairs })).toMatchObject({ valid: true });
  const others = pairs.with(-1, ['x-order', '3']);
  expect(await partner.verify({ ...request, headers: others })).toMatchObject({ valid: false });
});

it('takes Headers on Bun', async () => {
  const script = `
    import { SignerClient } from ${JSON.stringify(join(import.meta.dirname, '../../src/client/index.ts'))};
    const client = new SignerClient({ url: '${running.signer.url}' });
    const hooks = client.keySet('hooks', 'github');
    for (const headers of [new Headers([${JSON.stringify(pair)}]), new Map([${JSON.stringify(pair)}])]) {
      console.log((await hooks.verify({ body: '${body}', headers })).valid);
      const request = { method: 'GET', url: 'https://bucket.s3.eu-central-1.amazonaws.com/a', headers };
      console.log((await client.keySet('uploads', 'aws-sigv4').sign(request)).headers.Authorization.includes('x-hub'));
    }
    console.log((await hooks.verify({ body: '', headers: Promise.resolve({}) }).catch((error) => error)).name);
    for (const name of ['\\ud800', '..']) {
      try { client.keySet(name, 'raw'); } catch (error) { console.log(error.name); }
    }`;
  const { stdout } = await promisify(execFile)('bun', ['-e', script]);
  expect(stdout.trim().split('\n')).toEqual([
    'true',
    'true',
    'true',
    'true',
    'TypeError',
    'TypeError',
    'TypeError',
  ]);
});

describe.each<[string, unknown, string]>([
  ['a promise', Promise.resolve({}), 'field "headers": is a promise; await it'],
  ['text', 'a: b', 'field "headers": must be an object of names and values, Headers, or'],
  ['null', null, 'field "headers": must be an object of names and values'],
  ['a number', 1, 'field "headers": must be an object of names and values'],
  ['a Request', new Request('http://example.com'), 'field "headers": must be an object of names and values'],
  ['an async generator', (async function* () {})(), 'field "headers": must be'],
  ['a list of names and values that are not in pairs', ['a', 'b'], 'field "headers": must be'],
  ['pairs of text', ['ab', 'cd'], 'field "headers": must be'],
  ['a Set of texts', new Set(['ab']), 'field "headers": must be'],
  ['three in the place of two', [['a', 'b', 'c']], 'field "headers": must be'],
  ['a number as a value', { 'content-length': 5 }, 'each value must be a string or a list of strings'],
  ['a number as a value of a Map', new Map([['content-length', 5]]), 'each value must be a string'],
  ['null as a value', { a: null }, 'each value must be a string'],
  ['a number in a list', { a: ['b', 5] }, 'each value must be a string'],
  ['an object as a value', { a: { b: 'c' } }, 'each value must be a string'],
])('%s as headers', (_, headers, message) => {
  it('is a TypeError that names the field', async () => {
    const request = { body, headers, method: 'GET', url: 'https://example.com/' } as never;
    const named = (field: string) => message.replace('"headers"', `"${field}"`);
    for (const [error, expected] of [
      [
        await client
          .keySet('hooks', 'github')
          .verify(request)
          .catch((e) => e),
        message,
      ],
      [
        await client
          .keySet('uploads', 'aws-sigv4')
          .sign(request)
          .catch((e) => e),
        message,
      ],
      [
        await client
          .keySet('partner', 'http-signature')
          .sign(request)
          .catch((e) => e),
        message,
      ],
      [
        await client
          .keySet('hooks', 'github')
          .verifyBatch([request])
          .catch((e) => e),
        named('items.0.headers'),
      ],
    ]) {
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toContain(expected);
    }
  });
});

const circular: Record<string, unknown> = {};
circular['list'] = [{ self: circular }];
const deep = (levels: number) => Array.from({ length: levels }).reduce((inside: unknown) => [inside], 1);
class Money {
  amount = 5;
}

describe('a claim that JSON cannot hold is a TypeError that names it:', () => {
  it.each<[string, unknown, string]>([
    ['a bigint', { id: 10n }, 'field "claims.id": is a bigint; give a number, or text'],
    ['NaN', { a: { b: [1, Number.NaN] } }, 'field "claims.a.b.1": must be a finite number, and not -0'],
    ['Infinity', { n: Number.POSITIVE_INFINITY }, 'field "claims.n": must be a finite number'],
    ['-Infinity', { n: Number.NEGATIVE_INFINITY }, 'field "claims.n": must be a finite number'],
    ['-0', { n: -0 }, 'field "claims.n": must be a finite number, and not -0'],
    ['undefined in a list', { roles: ['a', undefined] }, 'field "claims.roles.1": is undefined'],
    [
      'a hole in a list',
      { roles: Object.assign(new Array(2), { 1: 'a' }) },
      'field "claims.roles.0": is undefined',
    ],
    ['a function', { f: () => 1 }, 'field "claims.f": is a function'],
    ['a symbol', { s: Symbol('x') }, 'field "claims.s": is a symbol'],
    ['a Date', { when: new Date() }, 'field "claims.when": is a Date; give its text, or'],
    ['an invalid Date', { when: new Date(Number.NaN) }, 'field "claims.when": is a Date'],
    ['toJSON', { a: { toJSON: () => 1 } }, 'field "claims.a.toJSON": is a function'],
    ['a Map', { m: new Map([['a', 1]]) }, 'field "claims.m": is an object of a class'],
    ['a Set', { m: new Set(['a']) }, 'field "claims.m": is an object of a class'],
    ['an object of a class', { price: new Money() }, 'field "claims.price": is an object of a class'],
    ['a boxed number', { n: Object(1) }, 'field "claims.n": is an object of a class'],
    ['bytes', { b: new Uint8Array(3) }, 'field "claims.b": is bytes; give text, such as base64'],
    ['a promise', { p: Promise.resolve(1) }, 'field "claims.p": is a promise; await it'],
    ['itself', circular, 'field "claims.list.0.self": contains itself'],
    ['20,000 levels', { a: deep(20_000) }, 'is nested too deeply'],
  ])('%s', async (_, claims, message) => {
    const session = client.keySet('session', 'jwt');
    const error = await session.sign({ claims: claims as never }).catch((e) => e);
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain(message);
    const inBatch = await session.signBatch([{ claims: {} }, { claims: claims as never }]).catch((e) => e);
    expect(inBatch).toBeInstanceOf(TypeError);
    expect(inBatch.message).toContain(message.replace('claims', 'items.1.claims'));
  });

  it('no other value is refused or changed', async () => {
    const session = client.keySet('session', 'jwt');
    const shared = { a: null };
    const claims = {
      sub: 'ü€😀',
      yes: true,
      n: [0, 1.5, -1e-7, 2 ** 53 - 1],
      shared: [shared, shared],
      bare: Object.assign(Object.create(null), { a: '' }),
      '': {},
      headers: { a: [['b', 'c']] },
    };
    const { token } = await session.sign({ claims: { ...claims, gone: undefined } });
    const verification = await session.verify({ token });
    expect(verification).toMatchObject({ valid: true, claims });
    expect(verification).not.toHaveProperty('claims.gone');
  });

  it('a claim of the name __proto__ is not lost on the way: the signer refuses it', async () => {
    const claims = JSON.parse('{"__proto__":{"admin":true}}');
    const refused = { code: 'malformed_request', message: expect.stringContaining('__proto__') };
    await expect(client.keySet('session', 'jwt').sign({ claims })).rejects.toMatchObject(refused);
  });
});

it.each<[string, unknown, string]>([
  ['no request', undefined, 'field "request": must be an object with the fields of a request'],
  ['text', 'hello', 'field "request": must be an object'],
  ['bytes', new Uint8Array(3), 'field "request": must be an object'],
  [
    'bytes as a message',
    { message: Buffer.from('hello') },
    'field "message": is bytes; give text, such as base64',
  ],
  ['a promise as a message', { message: Promise.resolve('') }, 'field "message": is a promise; await it'],
  ['a bigint as a message', { message: 5n }, 'field "message": is a bigint'],
])('%s is a TypeError that says what is missing', async (_, request, message) => {
  const orders = client.keySet('orders', 'raw');
  const error = await orders.sign(request as never).catch((e) => e);
  expect(error).toBeInstanceOf(TypeError);
  expect(error.message).toContain(message);
  await expect(orders.signBatch([request] as never)).rejects.toThrow(TypeError);
  await expect(orders.signBatch(request as never)).rejects.toThrow('field "items": must be an array');
});

it('asks for a presigned POST, alone and in a batch, in which a form that is not allowed fails alone', async () => {
  const uploads = client.keySet('uploads', 'aws-sigv4');
  const post = { bucket: 'uploads', key: 'a.txt', maxBytes: 1000, contentType: undefined };
  const form = { url: 'https://uploads.s3.eu-central-1.amazonaws.com/', fields: { key: 'a.txt' } };
  expect(await uploads.sign({ post })).toMatchObject(form);
  const results = await uploads.signBatch([{ post: { ...post, maxBytes: 1001 } }, { post, reference: '1' }]);
  expect(results).toMatchObject([
    { error: { code: 'operation_not_allowed', detail: expect.stringContaining('"maxPostBytes"') } },
    { ...form, reference: '1' },
  ]);
});

it('leaves it to the signer to refuse text that is not well formed, an item alone', async () => {
  const orders = client.keySet('orders', 'raw');
  const error = await orders.sign({ message: '\ud800' }).catch((e) => e);
  expect(error).toBeInstanceOf(SignerError);
  expect(error).toMatchObject({ code: 'malformed_request' });
  const results = await orders.signBatch([{ message: '\ud800' }, { message: 'a' }]);
  expect(results).toMatchObject([{ error: { code: 'malformed_request' } }, { keyId: expect.any(String) }]);
});

it.each<[string, unknown]>([
  ['undefined', undefined],
  ['null', null],
  ['text', 'hello'],
  ['a promise', Promise.resolve(new Uint8Array(1))],
  ['an ArrayBuffer', new ArrayBuffer(1)],
  ['a stream of Node', process.stdin],
])('signs no message that is %s', async (_, message) => {
  const orders = client.keySet('orders', 'raw');
  const expected = '"message" argument must be a Uint8Array or a ReadableStream';
  await expect(orders.signMessage(message as never)).rejects.toThrow(new TypeError(expected));
  await expect(orders.verifyMessage(message as never, 'aa')).rejects.toThrow(new TypeError(expected));
});

it.each(['\ud800', 'a\udfff', '', '.', '..', undefined, null, 7])('has no key set of the name %j', (name) => {
  const expected = '"name" argument must be the name of a key set, as it stands in the configuration';
  expect(() => client.keySet(name as never, 'raw')).toThrow(new TypeError(expected));
});

it.each([
  'a/b',
  '../session',
  'orders/../session',
  'orders?x',
  'orders#',
  'orders%2f',
  '%2e%2e',
  ' orders',
  '...',
  '😀',
])('asks for the key set %j and for no other', async (name) => {
  const error = await client
    .keySet(name, 'raw')
    .describe()
    .catch((e) => e);
  expect(error).toBeInstanceOf(SignerError);
  expect(['unknown_key', 'not_found', 'malformed_request']).toContain(error.code);
});

it.each<[ClientOptions & Record<string, unknown>, string]>([
  [
    { socketPath: undefined },
    '"socketPath" option is undefined; if it comes from an environment variable, the variable is not set',
  ],
  [
    { url: undefined },
    '"url" option is undefined; if it comes from an environment variable, the variable is not set',
  ],
  [{ url: undefined, socketPath: '/run/signer.sock' }, '"url" option is undefined'],
  [{ url: 'http://127.0.0.1:8700', socketPath: undefined }, '"socketPath" option is undefined'],
  [
    { url: 'http://127.0.0.1:8700', socketPath: '/run/signer.sock' },
    '"url" and "socketPath" options exclude each other',
  ],
  [
    { socket: '/run/signer.sock' },
    'the options have an unknown name; they are url, socketPath, timeoutMs, retries',
  ],
  [{ socketpath: '/run/signer.sock' }, 'the options have an unknown name'],
  [{ socketPath: '' }, '"socketPath" option: expected the path of a file'],
  [{ socketPath: null } as never, '"socketPath" option must be'],
  [{ url: null } as never, '"url" option must be like http://127.0.0.1:8700'],
  [{ url: 'http://user@127.0.0.1:8700' }, '"url" option must be like http://127.0.0.1:8700'],
  [{ url: 'http://127.0.0.1:8700/#x' }, '"url" option must be like http://127.0.0.1:8700'],
])('refuses the options %j', (options, message) => {
  expect(() => new SignerClient(options)).toThrow(TypeError);
  expect(() => new SignerClient(options)).toThrow(message);
});

it('takes other options that are undefined as left out', () => {
  expect(() => new SignerClient({ timeoutMs: undefined, retries: undefined })).not.toThrow();
});
