/**
 * Bad input to the formats, in the compiled binary: what is malformed gets a problem document, what is wrongly signed an
 * answer with a reason, and nothing ever a 500 or the signature that would have been right.
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
/** The signatures that would have been right. */
const right = new Set<string>();

beforeAll(async () => {
  running = await startConfigured({ ...Object.fromEntries(secret), root: randomBytes(32) }, keySets);
});
afterAll(async () => {
  const log = running.signer.output();
  expect(right.size).toBeGreaterThan(10);
  expect([...right].filter((signature) => log.includes(signature))).toEqual([]);
  expect(log).not.toContain('"level":"error"');
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
  it.each<[string, string, object | string, number, string]>([
    ['an id with dots', 'standard-webhooks', { body: '', id: 'msg.1' }, 400, 'malformed_request'],
    ['an id of a dot', 'standard-webhooks', { body: '', id: '.' }, 400, 'malformed_request'],
    ['an id that is a number', 'standard-webhooks', { body: '', id: 7 }, 400, 'malformed_request'],
    ['a timestamp of its own', 'stripe', { body: '', timestamp: `${now}` }, 400, 'malformed_request'],
    ['a claim of time as text', 'jwt', { claims: { nbf: `${now}` } }, 400, 'malformed_request'],
    ...(
      [
        ['raw', '{"message":"\\ud800"}'],
        ['jwt', '{"claims":{"sub":"\\udfff"}}'],
        ['standard-webhooks', '{"body":"\\ud800"}'],
        ['github', '{"body":"\\ud800"}'],
        ['shopify', '{"body":"a\\udc00b"}'],
        ['stripe', '{"body":"\\udc00\\ud800"}'],
        ['slack', '{"body":"\\ud800"}'],
        ['cookie', '{"value":"\\ud800"}'],
        ['http-signature', '{"method":"POST","url":"https://example.com/","body":"\\ud800"}'],
        ['aws-sigv4', '{"method":"PUT","url":"https://b.s3.eu-central-1.amazonaws.com/","body":"\\ud800"}'],
        ['derived', '{"message":"\\ud800","tenant":"acme"}'],
        ['derived', '{"message":"m","tenant":"\\ud800"}'],
      ] as const
    ).map(([name, body]): [string, string, string, number, string] => [
      'a lone surrogate',
      name,
      body,
      400,
      'malformed_request',
    ]),
    ...['YQ', 'YQ=', 'Y Q==', 'YQ==\n', 'YR==', 'Y_==', 'YQ===', 'data:;base64,YQ=='].map(
      (message): [string, string, object, number, string] => [
        'lenient base64',
        'raw',
        { message, encoding: 'base64' },
        400,
        'malformed_request',
      ],
    ),
    ['lenient hex', 'github', { body: '0x61', encoding: 'hex' }, 400, 'malformed_request'],
    ['an algorithm', 'jwt', { claims: {}, alg: 'none' }, 400, 'malformed_request'],
    ['a header', 'jwt', { claims: {}, header: { alg: 'none' } }, 400, 'malformed_request'],
    ['data behind it', 'jwt', '{"claims":{}}{}', 400, 'malformed_request'],
    ['an absurd lifetime', 'jwt', { claims: {}, lifetimeSeconds: 1e12 }, 422, 'unprocessable'],
    ['a lifetime over the cap', 'jwt', { claims: {}, lifetimeSeconds: 901 }, 422, 'unprocessable'],
    ['an infinite lifetime', 'jwt', '{"claims":{},"lifetimeSeconds":1e999}', 400, 'malformed_request'],
    ['an end of its own', 'jwt', { claims: { exp: 9e9 } }, 422, 'unprocessable'],
    [
      'an absurd lifetime',
      'aws-sigv4',
      { ...s3, presign: { expiresSeconds: 604_801 } },
      400,
      'malformed_request',
    ],
    [
      'a lifetime over the cap',
      'aws-sigv4',
      { ...s3, presign: { expiresSeconds: 3601 } },
      403,
      'operation_not_allowed',
    ],
    ['an unknown tenant', 'derived', { message: 'm', tenant: 'globex' }, 404, 'unknown_key'],
    ['no tenant', 'derived', { message: 'm' }, 400, 'malformed_request'],
    ['a tenant with NUL', 'derived', { message: 'm', tenant: 'acme\0' }, 400, 'malformed_request'],
    ['a tenant where there is none', 'raw', { message: 'm', tenant: 'acme' }, 400, 'malformed_request'],
  ])('by %s gets a problem document: %s', async (_, name, body, status, code) => {
    const answer = await ask(`${name}/sign`, body);
    expect(answer).toMatchObject({ status, type: 'application/problem+json' });
    expect(JSON.parse(answer.text)).toMatchObject({ status, code, detail: expect.stringMatching(/^[a-z]/) });
  });
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
  it.each<[string, Name, object, string]>([
    ['an id with dots', 'standard-webhooks', hook(standard('msg.1', `${now}`)), 'malformed'],
    ...['abc', '.0', ' ', 'e0'].flatMap((more): [string, Name, object, string][] => [
      [
        'a timestamp that is text',
        'standard-webhooks',
        hook(standard('msg_1', `${now}${more}`)),
        'malformed',
      ],
      ['a timestamp that is text', 'stripe', hook(stripe(`${now}${more}`)), 'malformed'],
      ['a timestamp that is text', 'slack', hook(slack(`${now}${more}`)), 'malformed'],
    ]),
    ['a time that is text', 'jwt', { token: token(hs256, { ...claims, exp: `${claims.exp}` }) }, 'malformed'],
    ['a time that is text', 'http-signature', { ...http, headers: signatureOf(`"${now}"`) }, 'malformed'],
    [
      'lenient base64',
      'standard-webhooks',
      hook(standard('msg_1', `${now}`, (tag) => tag.toString('base64').replace('=', ''))),
      'malformed',
    ],
    ['lenient base64', 'jwt', { token: `${token(hs256, claims)}=` }, 'malformed'],
    ['lenient base64', 'cookie', { cookie: `s:a.${tagOf('cookie', 'a').toString('base64')}` }, 'malformed'],
    [
      'lenient base64',
      'shopify',
      hook({ 'X-Shopify-Hmac-Sha256': ` ${tagOf('shopify', '{}').toString('base64')}` }),
      'malformed',
    ],
    [
      'upper-case hex',
      'github',
      hook({ 'X-Hub-Signature-256': `sha256=${tagOf('github', '{}').toString('hex').toUpperCase()}` }),
      'malformed',
    ],
    ...[0, 16, 31, 33, 64].flatMap((bytes): [string, Name, object, string][] => {
      const cut = (tag: Buffer) => Buffer.concat([tag, tag]).subarray(0, bytes);
      const input = token(hs256, claims).replace(/[^.]*$/, '');
      const tag = tagOf('jwt', input.slice(0, -1));
      const hex = cut(tagOf('github', '{}')).toString('hex');
      const length = `a tag of ${bytes} bytes`;
      return [
        [length, 'raw', { message: 'm', signature: cut(tagOf('raw', 'm')).toString('hex') }, 'malformed'],
        [length, 'jwt', { token: input + cut(tag).toString('base64url') }, 'malformed'],
        [length, 'github', hook({ 'X-Hub-Signature-256': `sha256=${hex}` }), 'malformed'],
        [length, 'stripe', hook(stripe(`${now}`, (right) => cut(right).toString('hex'))), 'malformed'],
        [
          length,
          'cookie',
          { cookie: `s:a.${cut(tagOf('cookie', 'a')).toString('base64').replace(/=+$/, '')}` },
          'malformed',
        ],
      ];
    }),
    ['the algorithm none', 'jwt', { token: `${b64({ alg: 'none' })}.${b64(claims)}.` }, 'malformed'],
    ['the algorithm none, signed', 'jwt', { token: token({ alg: 'none' }, claims) }, 'malformed'],
    ['another algorithm', 'jwt', { token: token({ alg: 'HS512' }, claims) }, 'malformed'],
    ['an asymmetric algorithm', 'jwt', { token: token({ alg: 'RS256' }, claims) }, 'malformed'],
    ['a member twice', 'jwt', { token: token('{"alg":"none","alg":"HS256"}', claims) }, 'malformed'],
    ['a claim twice', 'jwt', { token: token(hs256, `{"exp":1,"exp":${claims.exp}}`) }, 'malformed'],
    ['data behind its claims', 'jwt', { token: token(hs256, `${JSON.stringify(claims)}{}`) }, 'malformed'],
    ['data behind it', 'jwt', { token: `${token(hs256, claims)}.e30` }, 'malformed'],
    [
      'a time twice',
      'stripe',
      hook({ 'Stripe-Signature': `t=1,${stripe(`${now}`)['Stripe-Signature']}` }),
      'malformed',
    ],
    ['an infinite end', 'jwt', { token: token(hs256, '{"exp":1e999}') }, 'malformed'],
    ['no end', 'jwt', { token: token(hs256, {}) }, 'not_allowed'],
    ['a clock a day behind', 'jwt', { token: token(hs256, { exp: now - day }) }, 'expired'],
    [
      'a clock a day ahead',
      'jwt',
      { token: token(hs256, { exp: now + 2 * day, iat: now + day }) },
      'not_yet_valid',
    ],
    [
      'a clock a day ahead',
      'jwt',
      { token: token(hs256, { exp: now + 2 * day, nbf: now + day }) },
      'not_yet_valid',
    ],
    ...(
      [
        [-day, 'expired'],
        [day, 'not_yet_valid'],
      ] as const
    ).flatMap(([offset, reason]): [string, Name, object, string][] => [
      [`a clock off by ${offset} s`, 'standard-webhooks', hook(standard('msg_1', `${now + offset}`)), reason],
      [`a clock off by ${offset} s`, 'stripe', hook(stripe(`${now + offset}`)), reason],
      [`a clock off by ${offset} s`, 'slack', hook(slack(`${now + offset}`)), reason],
      [
        `a clock off by ${offset} s`,
        'http-signature',
        { ...http, headers: signatureOf(`${now + offset}`) },
        reason,
      ],
    ]),
  ])('for %s is answered with a reason: %s', async (_, name, request, reason) => {
    const answer = await ask(`${name}/verify`, request);
    expect(answer).toMatchObject({ status: 200, type: 'application/json' });
    expect(JSON.parse(answer.text)).toEqual({ valid: false, reason });
  });
});

describe('a signature of which one character is another', () => {
  const requests: Record<Name, object> = {
    raw: { message: 'm' },
    jwt: { claims: { sub: 'user-1' } },
    'standard-webhooks': { body: '{}' },
    github: { body: '{}' },
    shopify: { body: '{}' },
    stripe: { body: '{}' },
    slack: { body: '{}' },
    cookie: { value: 'a' },
    'http-signature': http,
    'aws-sigv4': { method: s3.method, url: s3.url },
    derived: { message: 'm', tenant: 'acme' },
  };
  /** Of a tag in hex or base64, somewhere in the text, and not at its end. */
  const tagPattern = /[0-9a-f]{64}|[\w+/-]{43}(?==?:?$)/;

  it.each(Object.keys(requests) as Name[])(
    'is a mismatch, and the right one is not told: %s',
    async (name) => {
      const signed = JSON.parse((await ask(`${name}/sign`, requests[name])).text);
      const signature: string = signed.signature ?? signed.token ?? signed.cookie ?? '';
      const text =
        signature || Object.values<string>(signed.headers).find((value) => tagPattern.test(value)) || '';
      const [tag = ''] = tagPattern.exec(text) ?? [];
      expect(tag).not.toBe('');
      right.add(tag);
      const wrong = (whole: string) => whole.replace(tag, (tag[0] === 'b' ? 'c' : 'b') + tag.slice(1));
      const headers = Object.entries<string>(signed.headers ?? {}).map(([header, value]) => [
        header,
        wrong(value),
      ]);
      const asked =
        signed.token !== undefined
          ? { token: wrong(signature) }
          : signed.cookie !== undefined
            ? { cookie: wrong(signature) }
            : signed.signature !== undefined
              ? { ...requests[name], signature: wrong(signature) }
              : { ...requests[name], headers: Object.fromEntries(headers) };
      const { status, text: answer } = await ask(`${name}/verify`, asked);
      expect([status, JSON.parse(answer)]).toEqual([200, { valid: false, reason: 'mismatch' }]);
      expect(answer).not.toContain(tag);
    },
  );
});
