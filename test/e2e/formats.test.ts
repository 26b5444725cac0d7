/** The formats over HTTP, in the compiled binary: what reaches them, batches, bodies as they are, descriptions. */

import { execFile } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConfiguredSigner, startConfigured } from '../support/configured.ts';
import { binary } from '../support/signer.ts';

const keySets = {
  raw: {},
  jwt: { format: 'jwt', jwt: { issuer: 'me', fixedClaims: { tenant: 7 } } },
  'standard-webhooks': { format: 'standard-webhooks', 'standard-webhooks': { signWith: 'all' } },
  github: { format: 'github' },
  shopify: { format: 'shopify' },
  stripe: { format: 'stripe', allow: ['sign'] },
  slack: { format: 'slack', slack: { toleranceSeconds: 60 }, maxMessageBytes: 1000 },
  cookie: { format: 'cookie' },
} as const;
const secrets = new Map(Object.keys(keySets).map((name) => [name, randomBytes(64)]));
let running: ConfiguredSigner;

beforeAll(async () => {
  running = await startConfigured(Object.fromEntries(secrets), keySets);
});
afterAll(() => running[Symbol.asyncDispose]());

/** A request whose text is sent as it is. */
const post = async (path: string, body: string) => {
  const response = await running.signer.call(path, undefined, { method: 'POST', body });
  const answer: unknown = await response.json();
  return { status: response.status, answer };
};

describe('the numbers of claims', () => {
  const sign = (number: string) => post('/v1/keys/jwt/sign', `{"claims":{"n":${number}}}`);
  const payloadOf = ({ answer }: Awaited<ReturnType<typeof post>>) =>
    Buffer.from((answer as { token: string }).token.split('.')[1] ?? '', 'base64url').toString();

  it.each(['9007199254740993', '1e400', '1e-400', '-0', '0.1000000000000000055', '123456789012345678901'])(
    'are refused when JSON would change them: %s',
    async (number) => {
      expect(await sign(number)).toMatchObject({ status: 422, answer: { code: 'unprocessable' } });
      expect(JSON.stringify(await sign(number))).not.toContain(number);
    },
  );

  it.each([
    ['9007199254740991', '9007199254740991'],
    ['0.1', '0.1'],
    ['1.0', '1'],
    ['1E2', '100'],
  ])('are signed with their value: %s', async (number, written) => {
    expect(payloadOf(await sign(number))).toContain(`"n":${written},`);
  });

  it('fail their item of a batch alone', async () => {
    const items = '[{"claims":{"n":1}},{"claims":{"n":1e400}},{"claims":{"s":"1e400"}}]';
    const { answer } = await post('/v1/keys/jwt/sign-batch', `{"items":${items}}`);
    expect(answer).toMatchObject({
      results: [
        { token: expect.any(String) },
        { error: { code: 'unprocessable' } },
        { token: expect.any(String) },
      ],
    });
  });
});

it('takes the last of members that stand twice, in what it checks and in what it signs', async () => {
  const { answer } = await post(
    '/v1/keys/jwt/sign',
    '{"claims":{"sub":"a","exp":1},"claims":{"sub":"b","sub":"c"}}',
  );
  const { token } = answer as { token: string };
  expect(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).toMatch(/^\{"sub":"c","tenant":7,/);
});

describe('a batch', () => {
  it.each([
    ['standard-webhooks', { body: '{}', id: 'msg_1' }, 'headers'],
    ['github', { body: '{}' }, 'headers'],
    ['shopify', { body: '{}' }, 'headers'],
    ['slack', { body: 'a=b' }, 'headers'],
    ['jwt', { claims: {} }, 'token'],
    ['cookie', { value: 'a' }, 'cookie'],
  ] as const)('of %s signs and verifies', async (name, request, field) => {
    const items = [{ ...request, reference: '1' }, { nonsense: 1, reference: '2' }, request];
    const signed = await post(`/v1/keys/${name}/sign-batch`, JSON.stringify({ items }));
    const { results } = signed.answer as { results: Record<string, unknown>[] };
    expect(results).toMatchObject([
      { keyId: expect.any(String), reference: '1' },
      { error: { code: 'malformed_request' }, reference: '2' },
      { keyId: expect.any(String) },
    ]);
    const toVerify = results
      .filter((result) => field in result)
      .map((result) => ({ ...('body' in request && { body: request.body }), [field]: result[field] }));
    const verified = await post(`/v1/keys/${name}/verify-batch`, JSON.stringify({ items: toVerify }));
    expect(verified.answer).toMatchObject({ results: [{ valid: true }, { valid: true }] });
  });
});

describe('a body as it is', () => {
  const octets = { 'content-type': 'application/octet-stream' };

  it('is signed by the webhook formats, of any length', async () => {
    const body = randomBytes(3_000_000);
    const { headers } = await running.client.keySet('github', 'github').signMessage(body);
    const tag = createHmac('sha256', secrets.get('github') ?? '')
      .update(body)
      .digest('hex');
    expect(headers).toEqual({ 'X-Hub-Signature-256': `sha256=${tag}` });
  });

  it('is refused over the limit of its key set', async () => {
    const response = await running.signer.call('/v1/keys/slack/sign', undefined, {
      method: 'POST',
      headers: octets,
      body: 'x'.repeat(1001),
    });
    expect(response.status).toBe(413);
  });

  it.each([
    ['jwt', 'sign'],
    ['cookie', 'sign'],
    ['jwt', 'verify'],
    ['cookie', 'verify'],
  ])('is not what %s can %s', async (name, operation) => {
    const response = await running.signer.call(`/v1/keys/${name}/${operation}`, undefined, {
      method: 'POST',
      headers: { ...octets, 'sec-signer-signature': 'x' },
      body: 'x',
    });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({
      code: 'unsupported_media_type',
      detail: `the format ${name} takes application/json here`,
    });
  });

  it('is signed by the command, which prints the headers as curl takes them', async () => {
    const listen = running.signer.url.replace('http://', '');
    const run = promisify(execFile)(binary, ['sign', 'github', '--listen', listen]);
    run.child.stdin?.end('{}');
    const tag = createHmac('sha256', secrets.get('github') ?? '')
      .update('{}')
      .digest('hex');
    expect((await run).stdout).toBe(`X-Hub-Signature-256: sha256=${tag}\n`);
  });
});

it('describes each key set with its format and the options in force', async () => {
  const described = await running.client.keySets();
  expect(Object.fromEntries(described.map(({ format, policy }) => [format, policy]))).toEqual({
    raw: { output: 'hex' },
    jwt: {
      issuer: 'me',
      maxLifetimeSeconds: 3600,
      leewaySeconds: 0,
      requiredClaims: [],
      fixedClaims: { tenant: 7 },
      allowNumericSubject: false,
      type: 'JWT',
    },
    'standard-webhooks': { toleranceSeconds: 300, futureToleranceSeconds: 300, signWith: 'all' },
    github: {},
    shopify: {},
    stripe: { toleranceSeconds: 300, futureToleranceSeconds: 300, signWith: 'primary' },
    slack: { toleranceSeconds: 60, futureToleranceSeconds: 60, maxMessageBytes: 1000 },
    cookie: {},
  });
});

it('keeps to the operations of the key set, whatever the format', async () => {
  expect(await post('/v1/keys/stripe/verify', '{"body":"{}","headers":{}}')).toMatchObject({
    status: 403,
    answer: { code: 'operation_not_allowed' },
  });
});

describe('a hostile request', () => {
  const deep = `${'['.repeat(60)}${']'.repeat(60)}`;
  it.each([
    ['/v1/keys/jwt/sign', `{"claims":{"a":${deep}}}`, 422],
    ['/v1/keys/jwt/sign', '{"claims":{"__proto__":{"admin":true}}}', 400],
    ['/v1/keys/jwt/verify', `{"token":"${'.'.repeat(60_000)}"}`, 200],
    [
      '/v1/keys/jwt/verify',
      `{"token":"${Buffer.from(`{"alg":${deep}}`).toString('base64url')}.e30.AAAA"}`,
      200,
    ],
    ['/v1/keys/github/verify', '{"body":"","headers":{"__proto__":"x","constructor":"y"}}', 200],
    [
      '/v1/keys/github/verify',
      `{"body":"","headers":{"x-hub-signature-256":"${'sha256=,'.repeat(4000)}"}}`,
      200,
    ],
    [
      '/v1/keys/github/verify',
      `{"body":"","headers":{"x-hub-signature-256":"${'sha256=,'.repeat(7000)}"}}`,
      413,
    ],
    [
      '/v1/keys/standard-webhooks/verify',
      `{"body":"","headers":{"webhook-id":"a","webhook-timestamp":"1","webhook-signature":"${'v1, '.repeat(8000)}"}}`,
      200,
    ],
    ['/v1/keys/cookie/verify', `{"cookie":"s:${'.'.repeat(60_000)}"}`, 200],
  ])('to %s is answered or refused: %.60s', async (path, body, status) => {
    const { status: given, answer } = await post(path, body);
    expect(given).toBe(status);
    expect(answer).toMatchObject(status === 200 ? { valid: false } : { status });
  });
});
