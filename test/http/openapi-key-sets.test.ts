/** The OpenAPI document of a signer with key sets: a path for each operation, with the types that the signer takes. */

import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { createApp } from '../../src/http/app.ts';
import { createBodyReader } from '../../src/http/body.ts';
import type { Handler } from '../../src/http/listen.ts';
import { describeApi } from '../../src/http/openapi.ts';
import { createApiDescriber } from '../../src/http/openapi-document.ts';
import { createSigner } from '../../src/signer.ts';
import { createTestStore, manualClocks } from '../support/keys.ts';
import { undescribed } from '../support/undescribed.ts';

const yaml = `keys:
  orders: {}
  orders-webhook: { format: standard-webhooks, encoding: text, allow: [sign] }
  github: { format: github, encoding: text, callers: { web: [verify], worker: [sign, verify] } }
  session: { format: jwt, callers: { web: [verify] } }
  zoom: { format: zoom, encoding: text, allow: [verify, challenge] }
  tenants: { deriveFrom: root, tenants: [acme] }
  tenants-webhook: { deriveFrom: root-2, format: svix }
  own:
    format: webhook
    encoding: text
    webhook:
      signed: "{method} {path}\\n{timestamp}.{id}.{body}"
      headers: { X-Time: "{timestamp}", X-Id: "{id}", X-Signature: "{signature}" }
  own-headers:
    format: webhook
    encoding: text
    webhook: { signed: "{header:content-type}\\n{body}", headers: { X-Signature: "{signature}" } }
  same-as-github:
    format: webhook
    encoding: text
    webhook: { signed: "{body}", headers: { X-Signature: "{signature}" } }
  .hidden: { file: hidden, format: cookie, encoding: text, allow: [sign] }
  __proto__: { file: proto }
`;
const names = ['orders', 'session', 'root', 'root-2', 'proto'];
const texts = ['orders-webhook', 'github', 'zoom', 'own', 'own-headers', 'same-as-github', 'hidden'];

// biome-ignore lint/suspicious/noExplicitAny: a document of any shape
let document: any;
let text: string;
let ajv: Ajv2020;
let handlerOf: (caller: string) => Handler;

beforeEach(async () => {
  const clocks = manualClocks();
  const { store, put } = createTestStore({ yaml, clocks });
  await put({
    ...Object.fromEntries(names.map((name) => [name, randomBytes(32)])),
    ...Object.fromEntries(texts.map((name) => [name, randomBytes(32).toString('hex')])),
  });
  text = await createApiDescriber('1.2.3', ['web', 'worker'])(store.current);
  document = JSON.parse(text);
  ajv = new Ajv2020({ strict: false, schemas: { api: document } });
  const { current } = store;
  handlerOf = createApp({
    snapshot: () => current,
    createBodyReader: () => createBodyReader(),
    signer: createSigner(clocks),
    onOperation: () => undefined,
    onFault: (error) => expect.unreachable(String(error)),
  });
});

const followed = ({ $ref, ...node }: { $ref?: string }) =>
  $ref === undefined
    ? node
    : $ref
        .split('/')
        .slice(1)
        .reduce((at, name) => at[name], document);
const operationAt = (path: string) => document.paths[`/v1/keys/${path}`]?.post;
const fits = (schema: object, value: unknown) =>
  // The references lead into the document.
  ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"api#/')))(value) === true;
const takes = (path: string, request: unknown) =>
  fits(followed(operationAt(path).requestBody).content['application/json'].schema, request);
const answers = (path: string, answer: unknown) =>
  fits(followed(operationAt(path).responses[200]).content['application/json'].schema, answer);

async function ask(path: string, body: object, caller = 'worker'): Promise<Response> {
  const at = `/v1/keys/${path}`;
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
  return handlerOf(caller)(new Request(`http://localhost${at}`, init), at, 'json');
}

it('is a valid OpenAPI document that describes everything', async () => {
  expect(await new Validator().validate(structuredClone(document))).toEqual({ valid: true });
  expect(undescribed(document)).toEqual([]);
});

it('holds the document without key sets', () => {
  const base = JSON.parse(JSON.stringify(describeApi('1.2.3')));
  expect(document).toMatchObject({ ...base, tags: expect.arrayContaining(base.tags) });
  expect(Object.keys(document).sort()).toEqual(Object.keys(base).sort());
});

it('has a path for each key set and operation that somebody may use, and no other', () => {
  const concrete = Object.keys(document.paths).filter((path) => /^\/v1\/keys\/[^{]/.test(path));
  const all = ['sign', 'verify', 'sign-batch', 'verify-batch'];
  const expected = {
    orders: all,
    'orders-webhook': ['sign', 'sign-batch'],
    github: all,
    session: ['verify', 'verify-batch'],
    zoom: ['verify', 'challenge', 'verify-batch'],
    tenants: all,
    'tenants-webhook': all,
    own: all,
    'own-headers': all,
    'same-as-github': all,
    '.hidden': ['sign', 'sign-batch'],
  };
  const paths = [...Object.entries(expected), ['__proto__', all] as const].flatMap(([name, segments]) =>
    segments.map((segment) => `/v1/keys/${name}/${segment}`),
  );
  expect(concrete.sort()).toEqual(paths.sort());
});

it('names each operation once, also if the names of key sets and operations could be mistaken for each other', async () => {
  const { store, put } = createTestStore();
  await put(Object.fromEntries(['x', 'batch-x', 'x-batch', 'With-x'].map((name) => [name, randomBytes(32)])));
  const { paths } = JSON.parse(await createApiDescriber('1', [])(store.current));
  const ids = Object.values<Record<string, { operationId?: string }>>(paths)
    .flatMap((item) => Object.values(item))
    .flatMap(({ operationId }) => operationId ?? []);
  // Generators make identifiers of them.
  const camel = ids.map((id) => id.replaceAll(/-(.)/g, (_, letter) => letter.toUpperCase()).toLowerCase());
  expect(ids).toHaveLength(7 + 4 * 4);
  expect(new Set(camel).size).toBe(ids.length);
});

it('tells which callers may use an operation', () => {
  expect(operationAt('orders/sign')).toMatchObject({ 'x-callers': ['web', 'worker'], tags: ['orders'] });
  expect(operationAt('github/sign')).toMatchObject({
    'x-callers': ['worker'],
    description: 'Callers: worker.',
  });
  expect(operationAt('github/verify-batch')['x-callers']).toEqual(['web', 'worker']);
  expect(operationAt('session/verify')['x-callers']).toEqual(['web']);
  expect(document.tags).toContainEqual({
    name: 'tenants-webhook',
    description: 'The key set tenants-webhook: svix, HS256, with a key for each tenant.',
  });
});

it('has no option of a key set, and no tenant', () => {
  for (const word of ['acme', 'root-2', '{header:content-type}', 'X-Signature\\"'])
    expect(text).not.toContain(word);
});

describe('a request that', () => {
  const target = { method: 'POST', url: 'https://a.example/in' };
  const type = { headers: { 'Content-Type': 'text/plain' } };
  it.each<[path: string, right: object, wrong: readonly object[]]>([
    ['orders/sign', { message: 'm' }, [{}, { claims: {} }, { message: 'm', tenant: 'acme' }, { message: 7 }]],
    [
      'orders-webhook/sign',
      { body: 'm', id: 'msg_1' },
      [{ message: 'm' }, { body: 'm', url: 'https://a.example' }],
    ],
    ['github/sign', { body: 'm' }, [{ body: 'm', id: 'msg_1' }]],
    ['tenants/sign', { message: 'm', tenant: 'acme' }, [{ message: 'm' }]],
    ['tenants-webhook/sign', { body: 'm', tenant: 'acme' }, [{ body: 'm' }, { body: 'm', tenant: 7 }]],
    ['own/sign', { body: 'm', ...target, id: 'msg_1' }, [{ body: 'm' }, { body: 'm', ...target, ...type }]],
    ['own-headers/sign', { body: 'm', ...type }, [{ body: 'm', ...type, ...target }]],
    [
      'same-as-github/sign',
      { body: 'm' },
      [
        { body: 'm', ...target },
        { body: 'm', ...type },
      ],
    ],
    ['.hidden/sign', { value: 'm' }, [{ message: 'm' }]],
    ['__proto__/sign', { message: 'm' }, [{}]],
    ['orders/sign-batch', { items: [{ message: 'm', reference: 'r' }] }, [{ items: [] }, {}]],
  ])(
    '%s takes fits its schema, and its answer too; one that it refuses fits neither',
    async (path, right, wrong) => {
      expect(takes(path, right)).toBe(true);
      const response = await ask(path, right);
      expect(response.status).toBe(200);
      const answer = await response.json();
      expect(answers(path, answer)).toBe(true);
      expect(answers(path, { reason: 'none' })).toBe(false);
      for (const each of wrong) {
        expect([each, takes(path, each), (await ask(path, each)).status]).toEqual([each, false, 400]);
      }
    },
  );

  it('is verified has the proof that the scheme of its key set gives', async () => {
    const signed = await (await ask('own/sign', { body: 'm', ...target, id: 'msg_1' })).json();
    const request = { body: 'm', ...target, headers: (signed as { headers: object }).headers };
    expect(takes('own/verify', request)).toBe(true);
    const answer = await (await ask('own/verify', request)).json();
    expect(answer).toMatchObject({ valid: true, id: 'msg_1', timestamp: expect.any(String) });
    expect(answers('own/verify', answer)).toBe(true);
    expect(answers('own/verify', { valid: true, keyId: 'k', primary: true })).toBe(false);
    expect(answers('same-as-github/verify', { valid: true, keyId: 'k', primary: true })).toBe(true);
  });
});

it('says where the body can be the message itself, and which headers go with it', () => {
  const headersOf = (path: string) =>
    operationAt(path).parameters.map((each: object) => followed(each).name) as string[];
  const isStreamed = (path: string) =>
    'application/octet-stream' in followed(operationAt(path).requestBody).content;
  const streamed: Readonly<Record<string, readonly string[]>> = {
    'orders/sign': [],
    'orders/verify': ['Sec-Signer-Signature'],
    'orders-webhook/sign': ['sec-signer-id'],
    'github/verify': [],
    'own/sign': ['sec-signer-url', 'sec-signer-method', 'sec-signer-id'],
    'own/verify': ['sec-signer-url', 'sec-signer-method'],
  };
  for (const [path, headers] of Object.entries(streamed)) {
    expect([path, isStreamed(path), headersOf(path)]).toEqual([path, true, ['Sec-Signer', ...headers]]);
  }
  for (const path of [
    'session/verify',
    'tenants/sign',
    'tenants-webhook/verify',
    'own-headers/sign',
    'zoom/challenge',
  ]) {
    expect([path, isStreamed(path), headersOf(path)]).toEqual([path, false, ['Sec-Signer']]);
  }
});

it('is made once for each generation, and shows the next one', async () => {
  const { store, put } = createTestStore();
  const describer = createApiDescriber('1', []);
  expect(JSON.parse(await describer(store.current))).toEqual(JSON.parse(JSON.stringify(describeApi('1'))));
  await put({ first: randomBytes(32) });
  const [one, two] = [describer(store.current), describer(store.current)];
  expect(two).toBe(one);
  expect(await one).toContain('/v1/keys/first/sign');
  await put({ second: randomBytes(32) });
  const next = await describer(store.current);
  expect(next).toContain('/v1/keys/second/sign');
  expect(next).not.toContain('/v1/keys/first/sign');
});

it('of 1,000 key sets is made in turns, and has less than 3 MB', async () => {
  const { store, put } = createTestStore();
  await put(
    Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`key-set-${index}`, randomBytes(32)])),
  );
  let longest = 0;
  let before = performance.now();
  const ticking = setInterval(() => {
    longest = Math.max(longest, performance.now() - before);
    before = performance.now();
  }, 0);
  const started = performance.now();
  const made = await createApiDescriber('1', ['web'])(store.current);
  const took = performance.now() - started;
  clearInterval(ticking);
  expect(Object.keys(JSON.parse(made).paths)).toHaveLength(7 + 4000);
  expect(made.length).toBeLessThan(3e6);
  expect(longest).toBeLessThan(took / 2);
});
