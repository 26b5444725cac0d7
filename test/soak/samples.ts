/** The key sets that the fuzzer asks, valid sign requests of each format, and how an answer becomes a verify request. */

import { createHmac } from 'node:crypto';
import type { Formats } from '../../src/api/messages.ts';
import { type ProviderName, providers } from '../../src/api/providers.ts';
import type { Provider } from '../../src/api/webhook-scheme.ts';

export type FormatName = keyof Formats;
export type Json = Readonly<Record<string, unknown>>;

/** Stands in every message and in what mutations insert, so that an error which repeats its request is found. */
export const canary = 'fuzz-canary';
export const toleranceSeconds = 86_400;

interface Sampled {
  readonly requests: readonly [Json, ...Json[]];
  /** Of the key set, in the configuration. */
  readonly options?: Json;
  toVerify(request: Json, answer: Json): Json;
  /**
   * A verify request whose signature is right, over what the signer would never sign.
   * @param mutate a mutation of a JSON value, one character a byte
   */
  forge?(key: Buffer, mutate: (part: Json) => string, sample: number): Json;
}

const body = `{"order":1,"note":"${canary} \u00e9 \ud83d\ude00"}`;
const asBase64 = { body: Buffer.from(body).toString('base64'), encoding: 'base64' };
const http = {
  method: 'POST',
  url: 'https://api.example/orders/a%20b?id=7&at=%2Fx',
  headers: { 'Content-Type': 'text/plain', 'x-tags': ['a', 'b; c="d"'] },
  body: canary,
};
const get = { method: 'GET', url: `https://API.example:443/${canary}?` };

const webhook: Sampled = {
  requests: [{ body }, asBase64, { body: '' }],
  toVerify: (request, { headers }) => ({ ...request, headers }),
};
const withHeaders = (request: Json, { headers }: Json): Json => ({
  ...request,
  headers: { ...Object(request['headers']), ...Object(headers) },
});

const target = { url: `https://hooks.example/in/${canary}?a=1`, method: 'POST' } as const;

/** What the scheme of a provider needs follows from its templates. */
const webhooks = Object.fromEntries(
  Object.entries<Provider>(providers).map(([name, provider]): [string, Sampled] => {
    const { signed, bodyTimestamp } = provider;
    const needs = (['url', 'method'] as const).filter((member) => signed.includes(`{${member}}`));
    const members = Object.fromEntries(needs.map((member) => [member, target[member]]));
    const isTimed = signed.includes('{timestamp}') || bodyTimestamp !== undefined;
    const bodies: readonly Json[] =
      bodyTimestamp === undefined
        ? webhook.requests
        : [{ body: JSON.stringify({ [bodyTimestamp.slice(1)]: Date.now(), canary }) }];
    const withId = signed.includes('{id}') ? [{ body, id: 'msg_1' }] : [];
    return [
      name,
      {
        ...(isTimed && { options: { [name]: { toleranceSeconds } } }),
        requests: [...bodies, ...withId].map((request) => ({ ...request, ...members })) as [Json],
        toVerify: ({ id, ...request }, { headers }) => ({ ...request, headers }),
      },
    ];
  }),
) as Readonly<Record<ProviderName, Sampled>>;

export const samples: Readonly<Record<FormatName, Sampled>> = {
  raw: {
    requests: [
      { message: body },
      { message: Buffer.from(body).toString('base64'), encoding: 'base64', output: 'base64url' },
      { message: Buffer.from(body).toString('hex'), encoding: 'hex', output: 'base64' },
    ],
    toVerify: (request, { signature }) => ({ ...request, signature }),
  },
  jwt: {
    requests: [
      { claims: { sub: canary, roles: ['a', 'b'], n: 1.5, deep: { a: { b: null } } }, lifetimeSeconds: 3600 },
      { claims: {} },
    ],
    toVerify: (_, { token }) => ({ token }),
    forge: (key, mutate, sample) => {
      const header = { alg: 'HS256', typ: 'JWT', kid: canary };
      const claims = { sub: canary, exp: Math.floor(Date.now() / 1000) + 3600, n: [1, { a: true }] };
      const parts =
        sample % 2 === 0
          ? [mutate(header), JSON.stringify(claims)]
          : [JSON.stringify(header), mutate(claims)];
      const input = parts.map((part) => Buffer.from(part, 'latin1').toString('base64url')).join('.');
      return { token: `${input}.${createHmac('sha256', key).update(input).digest('base64url')}` };
    },
  },
  ...webhooks,
  webhook: {
    options: {
      webhook: {
        signed: 'v1:{timestamp}:{nonce}:{id}:{method} {host}{path}?{query} {header:x-event}\n{body}',
        headers: {
          'X-Time': '{timestamp}',
          'X-Message': 'n={nonce}&i={id}',
          'X-Sig': { items: ['k={keyId}', 's={signature}'], separator: ';' },
        },
        signWith: 'all',
        toleranceSeconds,
      },
    },
    requests: [
      { body, method: 'POST', url: `https://hooks.example/in/${canary}?a=1`, headers: { 'X-Event': 'a, b' } },
      {
        ...asBase64,
        id: 'msg_1',
        method: 'GET',
        path: '/',
        host: 'hooks.example:8443',
        headers: { 'x-event': '' },
      },
    ],
    toVerify: ({ id, ...request }, answer) => withHeaders(request, answer),
  },
  cookie: {
    requests: [{ value: `j:${body}` }, { value: 's:a.b' }, { value: '' }],
    toVerify: (_, { cookie }) => ({ cookie }),
  },
  'http-signature': {
    options: { 'http-signature': { toleranceSeconds, nonce: true } },
    requests: [http, get, { ...http, method: 'PUT', url: 'http://api.example', body: '' }],
    toVerify: withHeaders,
  },
  'aws-sigv4': {
    options: {
      'aws-sigv4': {
        accessKeyId: 'AKIDEXAMPLE',
        services: ['s3', 'sqs'],
        regions: ['eu-central-1'],
        allowUnsignedPayload: true,
        toleranceSeconds,
      },
    },
    requests: [
      { ...http, service: 'sqs', region: 'eu-central-1' },
      { ...http, service: 's3' },
      { ...get, service: 's3', presign: { expiresSeconds: 3600 } },
      { ...http, body: undefined, service: 's3', unsignedPayload: true },
      { ...get, service: 'sqs', bodySha256: '0'.repeat(64) },
    ],
    toVerify: ({ service, region, unsignedPayload, presign, ...request }, answer) =>
      'url' in answer ? { ...request, url: answer['url'] } : withHeaders(request, answer),
  },
  'signed-url': {
    options: { 'signed-url': { maxExpiresSeconds: toleranceSeconds } },
    requests: [
      { url: `https://files.example/orders/a%20b?id=7&at=%2Fx&note=${canary}&id=8` },
      { url: `http://files.example:8080/${canary}`, method: 'GET', expiresSeconds: 3600 },
    ],
    toVerify: ({ expiresSeconds, ...request }, { url }) => ({ ...request, url }),
  },
};

export const formatNames: readonly FormatName[] = Object.keys(samples) as FormatName[];

const isWhsec = (format: FormatName) =>
  format in providers && (providers[format as ProviderName] as Provider).secretEncoding === 'whsec';

/** The bytes of a format's key, the same for the same seed. */
export function keyOf(format: FormatName, seed: number): Buffer {
  const random = createHmac('sha256', `the fuzzer's key ${seed}`).update(format).digest();
  return isWhsec(format) ? random : Buffer.from(random.toString('base64url'));
}

/** The key sets by name, which is that of their format: the key file of each, and its configuration. */
export function keySets(seed: number): { readonly files: Record<string, string>; readonly settings: Json } {
  const file = (format: FormatName, key: Buffer) =>
    isWhsec(format) ? `whsec_${key.toString('base64')}` : key.toString();
  return {
    files: Object.fromEntries(formatNames.map((format) => [format, file(format, keyOf(format, seed))])),
    settings: Object.fromEntries(
      formatNames.map((format) => [
        format,
        { format, encoding: isWhsec(format) ? 'whsec' : 'text', ...samples[format].options },
      ]),
    ),
  };
}
