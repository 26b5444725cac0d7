/** What each caller gets from the handlers: its own key sets, and of the others nothing that a missing one would not show. */

import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { createApp } from '../../src/http/app.ts';
import { createBodyReader } from '../../src/http/body.ts';
import type { Handler } from '../../src/http/listen.ts';
import { mediaTypeOf } from '../../src/http/media.ts';
import { createSigner } from '../../src/signer.ts';
import { createTestStore, manualClocks } from '../support/keys.ts';

const yaml = `keys:
  for-both: { callers: { worker: [sign], web: [verify] } }
  for-worker: { callers: { worker: [sign, verify] }, maxMessageBytes: 10 }
  for-zoom: { format: zoom, encoding: text, callers: { worker: [verify, challenge] } }
  for-all: {}
`;
/** As long as the name of a key set that is hidden, so that only the key set itself could make a difference. */
const missing = { 'for-worker': 'of-nobody-', 'for-zoom': 'of-none-' };

let handlerOf: (caller: string) => Handler;
let configure: (yaml: string) => Promise<void>;
let counted: string[];

beforeEach(async () => {
  const clocks = manualClocks();
  const { store, put, ...rest } = createTestStore({ yaml, clocks });
  const names = ['for-both', 'for-worker', 'for-all'];
  const zoom = randomBytes(32).toString('hex');
  await put({ ...Object.fromEntries(names.map((name) => [name, randomBytes(32)])), 'for-zoom': zoom });
  configure = rest.configure;
  counted = [];
  handlerOf = createApp({
    snapshot: () => store.current,
    createBodyReader: () => createBodyReader(),
    signer: createSigner(clocks),
    onOperation: ({ keySet, operation, outcome }) => counted.push(`${keySet} ${operation} ${outcome}`),
    onFault: (error) => expect.unreachable(String(error)),
  });
});

type Init = RequestInit & { readonly duplex?: 'half' };

async function ask(caller: string, path: string, init: Init = {}): Promise<Response> {
  const request = new Request(`http://localhost${path}`, init);
  return handlerOf(caller)(request, path, init.method === 'POST' ? mediaTypeOf(request) : undefined);
}

const json = (body: unknown): Init => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});
const octets = (headers: Record<string, string> = {}): Init => ({
  method: 'POST',
  headers: { 'content-type': 'application/octet-stream', ...headers },
  body: 'hello',
});
const sign = (caller: string, name: string) => ask(caller, `/v1/keys/${name}/sign`, json({ message: 'm' }));
const verify = (caller: string, name: string) =>
  ask(caller, `/v1/keys/${name}/verify`, json({ message: 'm', signature: '00' }));

describe('a key set with callers', () => {
  it.each([
    ['worker', 'sign', 200],
    ['worker', 'verify', 403],
    ['web', 'sign', 403],
    ['web', 'verify', 200],
    ['tcp', 'sign', 404],
    ['tcp', 'verify', 404],
    ['socket', 'sign', 404],
    ['', 'sign', 404],
    ['Worker', 'sign', 404],
    ['worker ', 'sign', 404],
    ['__proto__', 'sign', 404],
    ['constructor', 'sign', 404],
  ])('answers %j, who asks to %s, with %i', async (caller, operation, status) => {
    const answer = await (operation === 'sign' ? sign : verify)(caller, 'for-both');
    expect(answer.status).toBe(status);
  });

  it('says what this caller may do, and nothing of the others', async () => {
    const refused = await sign('web', 'for-both');
    expect(await refused.json()).toMatchObject({
      code: 'operation_not_allowed',
      detail:
        'this caller is not allowed to sign with this key; its configuration (callers) allows it only: verify',
    });
  });

  it.each(['tcp', 'socket', 'web', 'worker', 'anyone'])(
    'leaves a key set without callers to %s as before',
    async (caller) => {
      expect((await sign(caller, 'for-all')).status).toBe(200);
      expect((await verify(caller, 'for-all')).status).toBe(200);
    },
  );
});

describe('GET /v1/keys', () => {
  it.each([
    [
      'worker',
      {
        'for-all': 'sign,verify',
        'for-both': 'sign',
        'for-worker': 'sign,verify',
        'for-zoom': 'verify,challenge',
      },
    ],
    ['web', { 'for-all': 'sign,verify', 'for-both': 'verify' }],
    ['tcp', { 'for-all': 'sign,verify' }],
  ])('names %s, and what it may do', async (name, expected) => {
    const text = await (await ask(name, '/v1/keys')).text();
    const { caller, keys } = JSON.parse(text);
    expect(caller).toBe(name);
    const listed = keys.map((keySet: { name: string; allow: string[] }) => [
      keySet.name,
      keySet.allow.join(),
    ]);
    expect(Object.fromEntries(listed)).toEqual(expected);
    for (const other of ['worker', 'web', 'tcp'].filter((each) => each !== name)) {
      expect(text).not.toMatch(new RegExp(`"${other}"`));
    }
    for (const keySet of keys) {
      expect(await (await ask(name, `/v1/keys/${keySet.name}`)).json()).toEqual({ caller: name, ...keySet });
    }
  });
});

/** Requests for a key set, each with something that could tell one that is hidden from one that is missing. */
const requests: Readonly<Record<string, readonly [string, () => Init]>> = {
  'a description': ['', () => ({})],
  'a description by HEAD': ['', () => ({ method: 'HEAD' })],
  'a description by POST': ['', () => json({})],
  'a signature': ['/sign', () => json({ message: 'hello' })],
  'a signature by GET': ['/sign', () => ({})],
  'a verification': ['/verify', () => json({ message: 'hello', signature: '00' })],
  'a challenge': ['/challenge', () => json({ token: 'a' })],
  'a batch of signatures': ['/sign-batch', () => json({ items: [{ message: 'hello' }] })],
  'a batch of verifications': ['/verify-batch', () => json({ items: [{ message: 'a', signature: '0' }] })],
  'an empty batch': ['/sign-batch', () => json({ items: [] })],
  'a batch as a message': ['/sign-batch', () => octets()],
  'a message': ['/sign', () => octets()],
  'a message to verify': ['/verify', () => octets({ 'sec-signer-signature': '00' })],
  'a message to verify without a signature': ['/verify', () => octets()],
  'a message as a challenge': ['/challenge', () => octets()],
  'two signatures': [
    '/verify',
    () => {
      const { headers, ...init } = json({ body: 'a', headers: {} });
      return { ...init, headers: { ...(headers as object), 'x-zm-signature': 'v0=00' } };
    },
  ],
  'no JSON': ['/sign', () => json('{')],
  'an unknown field': ['/sign', () => json({ message: 'a', caller: 'worker' })],
  'a message that is too long for the key set': ['/sign', () => json({ message: 'a'.repeat(100) })],
  'a body that is too long for any': ['/sign', () => json({ message: 'a'.repeat(2 ** 21) })],
  'a tenant': ['/sign', () => json({ message: 'a', tenant: 'acme' })],
  'another path': ['/list', () => json({})],
};

describe.each(Object.entries(missing))(
  '%s, which is hidden from web, is exactly like a missing one',
  (hidden, absent) => {
    it.each(Object.entries(requests))('for %s', async (_, [path, init]) => {
      const seen = async (name: string) => {
        counted = [];
        const response = await ask('web', `/v1/keys/${name}${path}`, init());
        const body = Buffer.from(await response.arrayBuffer()).toString('hex');
        return { status: response.status, headers: [...response.headers], body, counted };
      };
      const answer = await seen(hidden);
      expect(answer).toEqual(await seen(absent));
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.counted).toEqual([]);
    });
  },
);

describe('a change of the callers', () => {
  const without = yaml.replace('web: [verify]', 'tcp: [verify]');

  it('counts from the next request on', async () => {
    expect((await verify('web', 'for-both')).status).toBe(200);
    await configure(without);
    expect((await verify('web', 'for-both')).status).toBe(404);
    expect((await verify('tcp', 'for-both')).status).toBe(200);
    await configure(yaml);
    expect((await verify('web', 'for-both')).status).toBe(200);
  });

  it('counts for a batch that has not come to its turn', async () => {
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        await configure(without);
        controller.enqueue(Buffer.from('{"items":[{"message":"m","signature":"00"}]}'));
        controller.close();
      },
    });
    const headers = { 'content-type': 'application/json' };
    const init: Init = { method: 'POST', headers, body, duplex: 'half' };
    const answer = await ask('web', '/v1/keys/for-both/verify-batch', init);
    expect(await answer.json()).toMatchObject({ code: 'unknown_key' });
    expect(counted).toEqual([]);
  });
});
