/**
 * Whatever `http-signature` and `aws-sigv4` are asked to verify or to sign, they answer or refuse: no other error, which
 * would be a 500, and no expected tag in any answer.
 */

import { createHmac, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SignerError } from '../../src/api/errors.ts';
import { type FormatInUse, inUse } from '../support/format.ts';

const secret = randomBytes(32);
const now = '2026-11-24T12:00:00Z';
const created = Date.parse(now) / 1000;

/** Texts that are nearly right, cut, doubled and mixed. */
const mangled = (...texts: readonly string[]) => {
  const piece = fc
    .tuple(fc.constantFrom(...texts), fc.nat(), fc.nat())
    .map(([text, from, length]) => text.slice(from % (text.length + 1)).slice(0, length % (text.length + 1)));
  const junk = fc.constantFrom(
    '(',
    ')',
    '"',
    '\\',
    ':',
    ';',
    ',',
    '=',
    ' ',
    '\t',
    '\n',
    '\r\n ',
    '%',
    '\0',
    '@',
    '\u00e9',
    '\ud800',
  );
  const mixed = fc.array(fc.oneof(piece, junk, fc.string({ maxLength: 3 })), { maxLength: 6 });
  return fc.oneof(
    fc.constantFrom(...texts),
    mixed.map((parts) => parts.join('')),
    fc.array(fc.constantFrom(...texts), { maxLength: 3 }),
  );
};

const url = mangled(
  'https://example.com/a/b?x=1&y=%20',
  'https://user@example.com:443/../%2e#a',
  '?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261124%2Feu-central-1%2Fs3%2Faws4_request&X-Amz-Date=20261124T120000Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature=',
  '0'.repeat(64),
);
const headers = fc.record(
  {
    'signature-input': mangled(
      `sig=("@method" "@query-param";name="x" "content-type";bs);created=${created};keyid="k";alg="hmac-sha256"`,
      'sig=();expires=1.5;x=@1;y=%"a";z=?2;w=:AB==:',
    ),
    signature: mangled('sig=:AAAA:', `sig=:${'A'.repeat(43)}=:`, 'sig=()', 'sig="a"'),
    'content-digest': mangled('sha-256=:AAAA:', 'sha-512=("a")', 'sha-256=1'),
    authorization: mangled(
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/eu-central-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=',
      '0'.repeat(64),
      '__proto__',
    ),
    'x-amz-date': mangled('20261124T120000Z', '99999999T999999Z'),
    'x-amz-content-sha256': mangled('UNSIGNED-PAYLOAD', '0'.repeat(64)),
    ['__proto__']: fc.string(),
    'Content-Type': mangled('text/plain'),
  },
  { requiredKeys: [] },
);
const nearlyRight = fc.record(
  {
    method: fc.constantFrom('GET', 'POST', 'get', '', 'CONNECT', '\n'),
    url: fc.oneof(fc.constant('https://example.com/a?x=1'), url),
    headers,
    body: fc.oneof(fc.string(), fc.constant('\ud800')),
    encoding: fc.constantFrom('utf8', 'hex', 'base64', 'utf16'),
    service: fc.constantFrom('s3', 'sqs', '__proto__'),
    region: fc.constantFrom('eu-central-1', 'constructor'),
    presign: fc.oneof(fc.anything(), fc.record({ expiresSeconds: fc.oneof(fc.double(), fc.integer()) })),
    bodySha256: fc.oneof(fc.constant('0'.repeat(64)), fc.string()),
  },
  { requiredKeys: ['method', 'url'] },
);

const formats: Readonly<
  Record<string, Pick<FormatInUse<'http-signature' | 'aws-sigv4'>, 'sign' | 'verify'>>
> = {
  'http-signature': inUse('http-signature', { nonce: true }, { secrets: [secret], now }),
  'aws-sigv4': inUse(
    'aws-sigv4',
    { accessKeyId: 'AKIDEXAMPLE', services: ['s3', 'sqs'], regions: ['eu-central-1'] },
    { secrets: [secret], now },
  ),
};

/** The answer, or undefined where it is refused. */
function carryOut(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof SignerError)) throw error;
    expect(error.code).toMatch(/^(?:malformed_request|operation_not_allowed)$/);
    // Details are words of our own.
    expect(error.message).toMatch(/^[a-z][ -~]*$/);
    return undefined;
  }
}

describe.each(Object.entries(formats))('%s', (_, format) => {
  it.each(['sign', 'verify'] as const)('answers or refuses whatever it is to %s', (operation) => {
    fc.assert(
      fc.property(fc.oneof({ weight: 9, arbitrary: nearlyRight }, fc.anything()), (request) => {
        const answer = carryOut(() => format[operation](request)) ?? {};
        const known =
          operation === 'sign'
            ? ['headers', 'url', 'keyId']
            : ['valid', 'reason', 'keyId', 'primary', 'nonce'];
        expect(known).toEqual(expect.arrayContaining(Object.keys(answer)));
      }),
      { numRuns: 3000 },
    );
  });
});

it('answers a wrong signature without the right one', () => {
  const request = { method: 'GET', url: 'https://example.com/a', headers: {} };
  const parameters = `("@method" "@authority" "@path" "@query");created=${created}`;
  const base = `"@method": GET\n"@authority": example.com\n"@path": /a\n"@query": ?\n"@signature-params": ${parameters}`;
  const right = createHmac('sha256', secret).update(base).digest();
  const verify = (tag: Buffer) =>
    formats['http-signature']?.verify({
      ...request,
      headers: { 'signature-input': `a=${parameters}`, signature: `a=:${tag.toString('base64')}:` },
    });
  expect(verify(randomBytes(32))).toEqual({ valid: false, reason: 'mismatch' });
  // But for the nonce, it is the right one.
  expect(verify(right)).toEqual({ valid: false, reason: 'not_allowed' });
});
