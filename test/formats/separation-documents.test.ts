/**
 * No request steers `http-signature` or `aws-sigv4` into a string that another format signs. Every message that reaches
 * a MAC is recorded, and is of the one form that the format writes.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { signedFor } from '../support/format.ts';

/** Pieces of what formats sign, and what takes texts apart. */
const fragment = fc.oneof(
  fc.constantFrom(
    '\n',
    '\r\n',
    '\r\n ',
    '\0',
    '"',
    '\\',
    ': ',
    ';',
    '/',
    '.',
    '%0a',
    '%0D%0A',
    '&',
    '=',
    '?',
    '#',
    '"@signature-params": ()',
    '"@method": GET',
    'AWS4-HMAC-SHA256',
    'AWS4-HMAC-SHA256\n20261124T120000Z\n20261124/a/s3/aws4_request\n',
    'aws4_request',
    '20261124',
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9',
    'v0:1795521600:',
    '1795521600.{}',
    'msg_1.1795521600.{}',
    's:hello',
    'X-Amz-Signature=',
    'caf\u00e9',
    '\ud800',
  ),
  fc.string({ maxLength: 8 }),
);
const text = fc.array(fragment, { maxLength: 4 }).map((parts) => parts.join(''));
/** Mostly what is fit for its place, since whoever is refused signs nothing. */
const mostly = <T>(fit: fc.Arbitrary<T>) =>
  fc.oneof<[fc.MaybeWeightedArbitrary<T>, fc.MaybeWeightedArbitrary<string>]>(
    { weight: 9, arbitrary: fit },
    { weight: 1, arbitrary: text },
  );
const url = fc.oneof(
  fc.tuple(fc.webPath(), text).map(([path, query]) => `https://example.com${path}?${query}`),
  fc
    .tuple(fc.webPath(), fc.webQueryParameters())
    .map(([path, query]) => `https://example.com${path}?${query}`),
  text.map((path) => `https://example.com/${path}`),
  text,
);
const headers = fc.dictionary(
  mostly(fc.constantFrom('content-type', 'x-covered', 'content-digest', 'x-amz-acl')),
  fc.oneof(mostly(fc.constant('value')), fc.array(mostly(fc.constant('value')), { maxLength: 3 })),
  { maxKeys: 4 },
);
const httpRequest = { method: mostly(fc.constantFrom('GET', 'POST', 'PUT')), url, headers };
const body = fc.record(
  { body: text, encoding: mostly(fc.constantFrom('utf8', 'base64', 'hex')) },
  { requiredKeys: ['body'] },
);

const otherFormats: Readonly<Record<string, RegExp>> = {
  'a signing input of JWS': /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/,
  'a stamped body of Standard Webhooks': /^[^.\n]+\.\d+\./,
  'a stamped body of Stripe': /^\d+\./,
  'a stamped body of Slack': /^v0:\d+:/,
};

describe('http-signature', () => {
  const covered = '"@method" "@authority" "@path" "@query" "x-covered" "content-type"';
  const options = {
    components: ['@method', '@authority', '@path', '@query', 'x-covered', 'content-type'],
    tag: 'tag',
    nonce: true,
  };
  const base = new RegExp(
    `^"@method": [A-Z-]+\n"@authority": [!-~]+\n"@path": /[!-~]*\n"@query": \\?[!-~]*\n` +
      '"x-covered": [\\t -~]*\n"content-type": [\\t -~]*\n(?:"content-digest": [\\t -~]*\n)?' +
      `"@signature-params": \\(${covered}(?: "content-digest")?\\);created=1795521600;nonce="[\\w-]{22}";alg="hmac-sha256";keyid="id";tag="tag"$`,
  );

  it('signs nothing but a signature base of its own components', () => {
    let signatures = 0;
    const request = fc
      .tuple(fc.record(httpRequest), fc.oneof(fc.constant({}), body))
      .map(([given, payload]) => ({
        ...given,
        ...payload,
        headers: { 'X-Covered': 'a', 'Content-Type': 'b', ...given.headers },
      }));
    fc.assert(
      fc.property(request, (given) => {
        for (const { by, message } of signedFor('http-signature', options, given)) {
          signatures++;
          expect(by).toBe('');
          expect(message).toMatch(base);
          for (const pattern of Object.values(otherFormats)) expect(message).not.toMatch(pattern);
          expect(message.startsWith('AWS4')).toBe(false);
        }
      }),
      { numRuns: 3000 },
    );
    expect(signatures).toBeGreaterThan(100);
  });
});

describe('aws-sigv4', () => {
  const options = {
    accessKeyId: 'AKIDEXAMPLE',
    services: ['s3', 'sqs'],
    regions: ['eu-central-1', 'us-east-1'],
    allowUnsignedPayload: true,
  };
  const chain = /^(?:\/20261124(?:\/(?:eu-central-1|us-east-1)(?:\/(?:s3|sqs)(?:\/aws4_request)?)?)?)?$/;
  const stringToSign =
    /^AWS4-HMAC-SHA256\n20261124T120000Z\n20261124\/(?:eu-central-1|us-east-1)\/(?:s3|sqs)\/aws4_request\n[0-9a-f]{64}$/;

  it('signs nothing but the steps to its signing key, and with that strings to sign of its scope', () => {
    let signatures = 0;
    const presign = fc.record({ expiresSeconds: mostly(fc.integer({ min: 1, max: 3600 })) });
    const payload = fc.oneof(
      fc.constant({}),
      body,
      fc.record({ bodySha256: mostly(fc.constant('0'.repeat(64))) }),
      fc.record({ unsignedPayload: fc.boolean() }),
      fc.record({ presign }),
      fc.record({ unsignedPayload: fc.boolean(), presign }),
    );
    const scope = {
      service: mostly(fc.constantFrom('s3', 'sqs')),
      region: mostly(fc.constantFrom('eu-central-1', 'us-east-1')),
    };
    const request = fc
      .tuple(fc.record({ ...httpRequest, ...scope }), payload)
      .map(([given, more]) => ({ ...given, ...more }));
    fc.assert(
      fc.property(request, (given) => {
        for (const { by, message } of signedFor('aws-sigv4', options, given)) {
          if (by.endsWith('/aws4_request')) {
            signatures++;
            expect(message).toMatch(stringToSign);
            expect(by.slice(1)).toBe(message.split('\n')[2]);
          } else {
            expect(`${by}/${message}`).toMatch(chain);
          }
          for (const pattern of Object.values(otherFormats)) expect(message).not.toMatch(pattern);
          expect(message.startsWith('"')).toBe(false);
        }
      }),
      { numRuns: 3000 },
    );
    expect(signatures).toBeGreaterThan(200);
  });

  it('signs a policy document of its own, whatever stands in the request for a form', () => {
    const post = fc.record(
      {
        bucket: mostly(fc.constantFrom('uploads', 'a.b')),
        key: mostly(fc.webPath().map((path) => `a${path}`)),
        maxBytes: fc.integer({ min: 1, max: 2000 }),
        contentType: mostly(fc.constant('text/plain')),
        successActionRedirect: mostly(fc.webUrl()),
        sessionToken: mostly(fc.constant('token')),
        metadata: fc.dictionary(mostly(fc.constant('note')), text, { maxKeys: 2 }),
      },
      { requiredKeys: ['bucket', 'key', 'maxBytes'] },
    );
    const given = fc.record({ post, service: fc.constant('s3'), region: fc.constant('us-east-1') });
    let signatures = 0;
    fc.assert(
      fc.property(given, (request) => {
        for (const { by, message } of signedFor('aws-sigv4', { ...options, maxPostBytes: 1000 }, request)) {
          if (by.endsWith('/aws4_request')) {
            signatures++;
            const document = JSON.parse(Buffer.from(message, 'base64').toString());
            expect(Object.keys(document)).toEqual(['expiration', 'conditions']);
            expect(Buffer.from(JSON.stringify(document)).toString('base64')).toBe(message);
            expect(message).toMatch(/^eyJleHBpcmF0aW9uIjoi[A-Za-z0-9+/]+=*$/);
          } else {
            expect(`${by}/${message}`).toMatch(chain);
          }
          for (const pattern of Object.values(otherFormats)) expect(message).not.toMatch(pattern);
        }
      }),
      { numRuns: 2000 },
    );
    expect(signatures).toBeGreaterThan(100);
  });
});
