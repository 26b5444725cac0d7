/**
 * No request steers a format with a prefix into a string that another such format signs, so that a signature never
 * means anything but what its format says. What is compared are the bytes that reach the MAC.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { signedFor } from '../support/format.ts';

interface PrefixedFormat {
  readonly name: string;
  /** Options under which a caller has the most freedom. */
  readonly options: object;
  /** Requests of somebody who wants another format's string. */
  readonly requests: fc.Arbitrary<object>;
}

const timestamp = '[1-9][0-9]{0,11}';
/** Beginnings of what the formats sign, and what their grammars are made of. */
const ingredients = fc.oneof(
  fc.constantFrom(
    '.',
    ':',
    '\n',
    'v0',
    'v0:',
    'v0:1800000000:',
    'v1,',
    'msg_1',
    'msg_1.1800000000.',
    '1800000000',
    '1800000000.',
    'eyJhbGciOiJIUzI1NiJ9',
    'eyJhbGciOiJIUzI1NiJ9.',
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9',
    '"@method": GET\n',
    '"@signature-params": ();created=1800000000',
    'AWS4-HMAC-SHA256\n',
    '20270115',
    '{"alg":"HS256"}',
    's:',
    'sidecar-signer-url-v1\n',
    'sidecar-signer-url-v1\n*\na.example\n/\n\n1800000000',
    'https://a.example/?expires=1800000000',
    'exp=1800000000~url=/',
  ),
  fc.string({ maxLength: 8 }),
  fc.string({ unit: 'binary', maxLength: 8 }),
);
const hostileText = fc.array(ingredients, { maxLength: 5 }).map((parts) => parts.join(''));
const webhookRequest = fc.record({ body: hostileText });
/** What is mostly fit for a URL, with hostile text in it. */
const urlText = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      'a',
      'v0:1800000000:',
      'msg_1.1800000000.',
      'AWS4-HMAC-SHA256',
      '20270115',
      '%20',
    ),
  },
  { weight: 1, arbitrary: ingredients },
);
/** @param start of every URL */
const urlRequest = (start: string, method: fc.Arbitrary<string | undefined> = fc.constant(undefined)) =>
  fc.record({
    url: fc
      .tuple(
        fc.array(urlText, { maxLength: 2 }),
        fc.oneof(
          { weight: 3, arbitrary: fc.constant('') },
          urlText.map((query) => `?${query}`),
        ),
      )
      .map(([path, query]) => `${start}${path.join('')}${query}`),
    method,
  });
const isJwtHeader = (segment: string) => {
  try {
    return Object.hasOwn(JSON.parse(Buffer.from(segment, 'base64url').toString()), 'alg');
  } catch {
    return false;
  }
};

/** Whether a string is one that the format signs, by its specification. */
const grammars: Readonly<Record<string, (text: string) => boolean>> = {
  jwt: (text) => /^[\w-]+\.[\w-]*$/.test(text) && isJwtHeader(text.split('.')[0] ?? ''),
  // Of all ids but the numbers, since one of those makes the beginning of Stripe's string.
  'standard-webhooks': (text) => new RegExp(`^(?!\\d+\\.)[\\w-]{1,256}\\.${timestamp}\\.`).test(text),
  stripe: (text) => new RegExp(`^${timestamp}\\.`).test(text),
  slack: (text) => new RegExp(`^v0:${timestamp}:`).test(text),
  'http-signature': (text) => text.startsWith('"'),
  // The day, from which the key of that day is derived, and what such a key signs.
  'aws-sigv4': (text) => /^\d{8}$/.test(text) || text.startsWith('AWS4-HMAC-SHA256\n'),
  // Of imgproxy with a salt of one zero byte.
  'signed-url': (text) => /^(?:sidecar-signer-url-v1\n|https?:\/\/|\/|exp=|\0\/exp:)/.test(text),
};
const signersOf = (text: string) => Object.keys(grammars).filter((name) => grammars[name]?.(text));

/** The requests of `http-signature` and `aws-sigv4` are larger; their separation has a file of its own. */
const prefixed: readonly PrefixedFormat[] = [
  {
    name: 'jwt',
    options: {},
    requests: fc.record(
      {
        claims: fc.oneof(
          fc.dictionary(hostileText, fc.oneof(hostileText, fc.jsonValue())),
          fc.object({ maxDepth: 3 }),
        ),
        lifetimeSeconds: fc.integer({ min: 1, max: 3600 }),
      },
      { requiredKeys: ['claims'] },
    ),
  },
  {
    name: 'standard-webhooks',
    options: { signWith: 'all' },
    requests: fc.record(
      { body: hostileText, id: fc.oneof(hostileText, ingredients) },
      { requiredKeys: ['body'] },
    ),
  },
  {
    name: 'stripe',
    options: { signWith: 'all' },
    requests: webhookRequest,
  },
  {
    name: 'slack',
    options: {},
    requests: webhookRequest,
  },
  {
    name: 'signed-url',
    options: { scheme: 'sidecar' },
    requests: urlRequest('https://a.example/', fc.constantFrom(undefined, 'GET', 'v0:1:')),
  },
  { name: 'signed-url', options: { scheme: 'laravel' }, requests: urlRequest('http://a.example/') },
  {
    name: 'signed-url',
    options: { scheme: 'laravel', laravel: { absolute: false } },
    requests: urlRequest('/'),
  },
  { name: 'signed-url', options: { scheme: 'akamai' }, requests: urlRequest('https://a.example/') },
  {
    name: 'signed-url',
    options: { scheme: 'imgproxy', imgproxy: { salt: '00', sources: ['s3://bucket/'] } },
    requests: urlRequest('https://a.example/plain/s3://bucket/'),
  },
];

describe.each(prefixed)('$name $options', (own) => {
  it('signs strings of its own grammar and of no other', () => {
    let signed = 0;
    fc.assert(
      fc.property(own.requests, (request) => {
        for (const { message } of signedFor(own.name, own.options, request)) {
          signed++;
          expect(signersOf(message)).toEqual([own.name]);
        }
      }),
      { numRuns: 2000 },
    );
    expect(signed).toBeGreaterThan(200);
  });
});

describe('the grammars', () => {
  // Strings that other formats would sign if a caller chose the part in front: each must be recognised, or the
  // property above shows nothing.
  it.each([
    ['jwt', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9'],
    ['standard-webhooks', 'msg_1.1800000000.{}'],
    ['standard-webhooks', 'eyJhbGciOiJIUzI1NiJ9.1800000000.'],
    ['stripe', '1800000000.{}'],
    ['stripe', '1800000000.1800000000.{}'],
    ['slack', 'v0:1800000000:{}'],
    ['http-signature', '"@method": GET\n"@signature-params": ("@method");created=1800000000'],
    ['aws-sigv4', 'AWS4-HMAC-SHA256\n20270115T080000Z\n20270115/eu-central-1/s3/aws4_request\n00'],
    ['aws-sigv4', '20270115'],
    ['signed-url', 'sidecar-signer-url-v1\n*\na.example\n/\n\n1800000000'],
    ['signed-url', 'https://a.example/?expires=1800000000'],
    ['signed-url', '/a?expires=1800000000'],
    ['signed-url', 'exp=1800000000~url=/'],
    ['signed-url', '\0/exp:1800000000/plain/s3://bucket/a'],
  ])('of %s holds %s', (name, text) => {
    expect(signersOf(text)).toEqual([name]);
  });
});
