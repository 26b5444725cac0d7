/**
 * Bad input to the formats, in the compiled binary: what is malformed gets a problem document, what is wrongly signed an
 * answer with a reason, and nothing ever a 500. That no answer has the right signature is in formats/hostile.test.ts.
 */

import { createHmac, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConfiguredSigner, startConfigured } from '../support/configured.ts';

const aws = { accessKeyId: 'AKIDEXAMPLE', services: ['s3'], regions: ['eu-central-1'] };
const keySets = {
  raw: {},
  jwt: { format: 'jwt', jwt: { maxLifetimeSeconds: 900 } },
  'standard-webhooks': { format: 'standard-webhooks' },
  github: { format: 'github' },
  shopify: { format: 'shopify' },
  stripe: { format: 'stripe' },
  slack: { format: 'slack' },
  cookie: { format: 'cookie' },
  'http-signature': { format: 'http-signature' },
  'aws-sigv4': { format: 'aws-sigv4', 'aws-sigv4': aws },
  derived: { deriveFrom: 'root', tenants: ['acme'] },
};
type Name = keyof typeof keySets;
const secret = new Map(Object.keys(keySets).map((name) => [name, randomBytes(64)]));
const tagOf = (name: Name, signed: string) =>
  createHmac('sha256', secret.get(name) ?? '')
    .update(signed)
    .digest();
const now = Math.floor(Date.now() / 1000);
const day = 86_400;
let running: ConfiguredSigner;

beforeAll(async () => {
  running = await startConfigured({ ...Object.fromEntries(secret), root: randomBytes(32) }, keySets);
});
afterAll(async () => {
  expect(running.signer.output()).not.toContain('"level":"error"');
  await running[Symbol.asyncDispose]();
});

/** Asks with a text that is sent as it is. */
async function ask(path: string, body: object | string) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await running.signer.call(`/v1/keys/${path}`, undefined, { method: 'POST', body: text });
  const answer = await response.text();
  expect(response.status).not.toBe(500);
  return { status: response.status, type: response.headers.get('content-type'), text: answer };
}

const http = { method: 'GET', url: 'https://example.com/orders?id=7' };
const s3 = {
  method: 'GET',
  url: 'https://bucket.s3.eu-central-1.amazonaws.com/a',
  presign: { expiresSeconds: 60 },
};

describe('a request to sign that is malformed', () => {
  const malformed: readonly (readonly [what: string, name: Name, body: object | string])[] = [
    ['an id with dots', 'standard-webhooks', { body: '', id: 'msg.1' }],
    ['a timestamp of its own', 'stripe', { body: '', timestamp: `${now}` }],
    ['a claim of time as text', 'jwt', { claims: { nbf: `${now}` } }],
    ['a lone surrogate', 'raw', '{"message":"\\ud800"}'],
    ['a lone surrogate', 'jwt', '{"claims":{"sub":"\\udfff"}}'],
    ['a lone surrogate', 'shopify', '{"body":"a\\udc00b"}'],
    ['a lone surrogate', 'cookie', '{"value":"\\udc00\\ud800"}'],
    ['a lone surrogate', 'http-signature', '{"method":"POST","url":"https://example.com/","body":"\\ud800"}'],
    ['a lone surrogate', 'derived', '{"message":"m","tenant":"\\ud800"}'],
    ...['YQ', 'Y Q==', 'YR==', 'Y_==', 'YQ==='].map(
      (message) => ['lenient base64', 'raw', { message, encoding: 'base64' }] as const,
    ),
    ['lenient hex', 'github', { body: '0x61', encoding: 'hex' }],
    ['a header', 'jwt', { claims: {}, header: { alg: 'none' } }],
    ['data behind it', 'jwt', '{"claims":{}}{}'],
    ['an infinite lifetime', 'jwt', '{"claims":{},"lifetimeSeconds":1e999}'],
    ['an absurd lifetime', 'aws-sigv4', { ...s3, presign: { expiresSeconds: 604_801 } }],
    ['no tenant', 'derived', { message: 'm' }],
    ['a tenant with NUL', 'derived', { message: 'm', tenant: 'acme\0' }],
    ['a tenant where there is none', 'raw', { message: 'm', tenant: 'acme' }],
  ];
  const refused: readonly (readonly [string, Name, object, status: number, code: string])[] = [
    ['a lifetime over the cap', 'jwt', { claims: {}, lifetimeSeconds: 901 }, 422, 'unprocessable'],
    ['an end of its own', 'jwt', { claims: { exp: 9e9 } }, 422, 'unprocessable'],
    [
      'a lifetime over the cap',
      'aws-sigv4',
      { ...s3, presign: { expiresSeconds: 3601 } },
      403,
      'operation_not_allowed',
    ],
    ['an unknown tenant', 'derived', { message: 'm', tenant: 'globex' }, 404, 'unknown_key'],
  ];

  it.each([...malformed.map((each) => [...each, 400, 'malformed_request'] as const), ...refused])(
    'by %s gets a problem document: %s',
    async (_, name, body, status, code) => {
      const answer = await ask(`${name}/sign`, body);
      expect(answer).toMatchObject({ status, type: 'application/problem+json' });
      expect(JSON.parse(answer.text)).toMatchObject({
        status,
        code,
        detail: expect.stringMatching(/^[a-z]/),
      });
    },
  );
});

const b64 = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
/** A token of whatever header and claims, well signed. */
const token = (header: unknown, claims: unknown) => {
  const input = `${b64(header)}.${b64(claims)}`;
  return `${input}.${tagOf('jwt', input).toString('base64url')}`;
};
const standard = (id: string, time: string, write = (tag: Buffer) => tag.toString('base64')) => ({
  'webhook-id': id,
  'webhook-timestamp': time,
  'webhook-signature': `v1,${write(tagOf('standard-webhooks', `${id}.${time}.{}`))}`,
});
const stripe = (time: string, write = (tag: Buffer) => tag.toString('hex')) => ({
  'Stripe-Signature': `t=${time},v1=${write(tagOf('stripe', `${time}.{}`))}`,
});
const slack = (time: string) => ({
  'X-Slack-Request-Timestamp': time,
  'X-Slack-Signature': `v0=${tagOf('slack', `v0:${time}:{}`).toString('hex')}`,
});
const signatureOf = (created: string) => {
  const parameters = `("@method" "@authority" "@path" "@query");created=${created}`;
  const base = `"@method": GET\n"@authority": example.com\n"@path": /orders\n"@query": ?id=7\n"@signature-params": ${parameters}`;
  return {
    'Signature-Input': `sig1=${parameters}`,
    Signature: `sig1=:${tagOf('http-signature', base).toString('base64')}:`,
  };
};
const hook = (headers: object) => ({ body: '{}', headers });
const hs256 = { alg: 'HS256', typ: 'JWT' };
const claims = { sub: 'user-1', exp: now + 600 };

it.each<[Name, object]>([
  ['raw', { message: 'm', signature: tagOf('raw', 'm').toString('hex') }],
  ['jwt', { token: token(hs256, claims) }],
  ['standard-webhooks', hook(standard('msg_1', `${now}`))],
  ['github', hook({ 'X-Hub-Signature-256': `sha256=${tagOf('github', '{}').toString('hex')}` })],
  ['shopify', hook({ 'X-Shopify-Hmac-Sha256': tagOf('shopify', '{}').toString('base64') })],
  ['stripe', hook(stripe(`${now}`))],
  ['slack', hook(slack(`${now}`))],
  ['cookie', { cookie: `s:a.${tagOf('cookie', 'a').toString('base64').slice(0, -1)}` }],
  ['http-signature', { ...http, headers: signatureOf(`${now}`) }],
])('what is refused below is valid without its flaw: %s', async (name, request) => {
  expect(JSON.parse((await ask(`${name}/verify`, request)).text)).toMatchObject({ valid: true });
});

describe('a signature that is not valid', () => {
  const github = (tag: string) => hook({ 'X-Hub-Signature-256': `sha256=${tag}` });
  const tag = { github: tagOf('github', '{}'), cookie: tagOf('cookie', 'a').toString('base64') };
  const jwt = (header: unknown, more: unknown) => ({ token: token(header, more) });
  const malformed: readonly (readonly [what: string, name: Name, request: object])[] = [
    ['an id with dots', 'standard-webhooks', hook(standard('msg.1', `${now}`))],
    ['a timestamp that is text', 'standard-webhooks', hook(standard('msg_1', `${now}abc`))],
    ['a timestamp with a fraction', 'stripe', hook(stripe(`${now}.0`))],
    ['a timestamp with an exponent', 'slack', hook(slack(`${now}e0`))],
    ['a time that is text', 'jwt', jwt(hs256, { ...claims, exp: `${claims.exp}` })],
    ['a time that is text', 'http-signature', { ...http, headers: signatureOf(`"${now}"`) }],
    [
      'lenient base64',
      'standard-webhooks',
      hook(standard('msg_1', `${now}`, (right) => right.toString('base64').replace('=', ''))),
    ],
    ['lenient base64', 'jwt', { token: `${token(hs256, claims)}=` }],
    ['lenient base64', 'cookie', { cookie: `s:a.${tag.cookie}` }],
    ['upper-case hex', 'github', github(tag.github.toString('hex').toUpperCase())],
    ...[0, 16, 31, 33, 64].map((bytes) => {
      const cut = Buffer.concat([tag.github, tag.github]).subarray(0, bytes);
      return [`a tag of ${bytes} bytes`, 'github', github(cut.toString('hex'))] as const;
    }),
    ['the algorithm none', 'jwt', { token: `${b64({ alg: 'none' })}.${b64(claims)}.` }],
    ['the algorithm none, signed', 'jwt', jwt({ alg: 'none' }, claims)],
    ['another algorithm', 'jwt', jwt({ alg: 'HS512' }, claims)],
    ['a member twice', 'jwt', jwt('{"alg":"none","alg":"HS256"}', claims)],
    ['a claim twice', 'jwt', jwt(hs256, `{"exp":1,"exp":${claims.exp}}`)],
    ['data behind its claims', 'jwt', jwt(hs256, `${JSON.stringify(claims)}{}`)],
    ['data behind it', 'jwt', { token: `${token(hs256, claims)}.e30` }],
    ['a time twice', 'stripe', hook({ 'Stripe-Signature': `t=1,${stripe(`${now}`)['Stripe-Signature']}` })],
    ['an infinite end', 'jwt', jwt(hs256, '{"exp":1e999}')],
  ];
  const untimely = ([offset, reason]: readonly [number, string]) =>
    [
      ['standard-webhooks', hook(standard('msg_1', `${now + offset}`))],
      ['stripe', hook(stripe(`${now + offset}`))],
      ['slack', hook(slack(`${now + offset}`))],
      ['http-signature', { ...http, headers: signatureOf(`${now + offset}`) }],
    ].map(([name, request]) => [`a clock off by ${offset} s`, name, request, reason] as const);

  it.each([
    ...malformed.map((each) => [...each, 'malformed'] as const),
    ['no end', 'jwt', jwt(hs256, {}), 'not_allowed'] as const,
    ['a clock a day behind', 'jwt', jwt(hs256, { exp: now - day }), 'expired'] as const,
    [
      'a clock a day ahead',
      'jwt',
      jwt(hs256, { exp: now + 2 * day, iat: now + day }),
      'not_yet_valid',
    ] as const,
    ...(
      [
        [-day, 'expired'],
        [day, 'not_yet_valid'],
      ] as const
    ).flatMap(untimely),
  ])('for %s is answered with a reason: %s', async (_, name, request, reason) => {
    const answer = await ask(`${name}/verify`, request as object);
    expect(answer).toMatchObject({ status: 200, type: 'application/json' });
    const { detail = '', ...verdict } = JSON.parse(answer.text);
    expect(verdict).toEqual({ valid: false, reason });
    expect(detail).toBeTypeOf('string');
  });
});
