/** The format `cookie` by the published vectors, and what a reader must not be lenient about. */

import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { CookieSignRequest, CookieVerifyRequest } from '../../src/api/messages.ts';
import { inUse, refusalOf } from '../support/format.ts';
import { readVectors } from '../support/vectors.ts';

interface Vector {
  readonly name: string;
  readonly key: string;
  readonly value: string;
  readonly signature: string;
}

describe.each(readVectors<Vector>('cookie-signature'))('$name', ({ key, value, signature }) => {
  const signer = inUse('cookie', {}, { secrets: [Buffer.from(key, 'hex')] });

  it('signs as published', () => {
    expect(signer.sign({ value })).toEqual({
      cookie: `s:${value}.${signature}`,
      keyId: signer.use.keys[0].id,
    });
  });

  it('verifies what is published', () => {
    expect(signer.verify({ cookie: `s:${value}.${signature}` })).toMatchObject({ valid: true, value });
  });
});

const secret = randomBytes(32);
const signer = inUse('cookie', {}, { secrets: [secret] });
const sign = (value: string) =>
  createHmac('sha256', secret).update(value).digest('base64').replace(/=+$/, '');

it.each(['', 'hello', 'a.b.c', 's:x', 'j:{"a":1}', 'naïve ☃', 'a b;c', '.'.repeat(5)])(
  'signs and returns the value %j as it is, without URL encoding',
  (value) => {
    const { cookie } = signer.sign({ value });
    expect(cookie).toBe(`s:${value}.${sign(value)}`);
    const keyId = signer.use.keys[0].id;
    expect(signer.verify({ cookie })).toEqual({ valid: true, keyId, primary: true, value });
  },
);

it('verifies by an earlier key', () => {
  const rotated = inUse('cookie', {}, { secrets: [randomBytes(32), secret] });
  expect(rotated.verify({ cookie: `s:a.${sign('a')}` })).toMatchObject({ primary: false, value: 'a' });
});

it.each([
  ['not prefixed', `a.${sign('a')}`],
  ['prefixed in another case', `S:a.${sign('a')}`],
  ['still URL-encoded', encodeURIComponent(`s:a.${sign('a')}`)],
  ['unsigned', 's:a'],
  ['empty', ''],
  ['signed with nothing', 's:a.'],
  ['padded', `s:a.${sign('a')}=`],
  ['signed in base64url', `s:a.${'-_'.repeat(21)}A`],
  ['signed in hex', `s:a.${createHmac('sha256', secret).update('a').digest('hex')}`],
  ['signed with a tag that is too short', `s:a.${sign('a').slice(0, -2)}`],
  ['signed with a tag that is too long', `s:a.${sign('a')}AAAA`],
  ['signed with unused bits set', `s:a.${sign('a').slice(0, -1)}${nextDigit(sign('a').at(-1))}`],
  ['followed by a newline', `s:a.${sign('a')}\n`],
])('calls a cookie that is %s malformed', (_, cookie) => {
  expect(signer.verify({ cookie })).toEqual({ valid: false, reason: 'malformed' });
});

it('refuses the signature of another value, or with any bit flipped', () => {
  expect(signer.verify({ cookie: `s:b.${sign('a')}` })).toEqual({ valid: false, reason: 'mismatch' });
  for (let bit = 0; bit < 256; bit++) {
    const tag = createHmac('sha256', secret).update('a').digest();
    tag.writeUInt8(tag.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    const cookie = `s:a.${tag.toString('base64').slice(0, -1)}`;
    expect(signer.verify({ cookie })).toEqual({ valid: false, reason: 'mismatch' });
  }
});

it.each<[string, unknown]>([
  ['a lone surrogate', { value: '\udc00' }],
  ['NUL', { value: 'a\0' }],
  ['no value', {}],
  ['a value that is an object', { value: {} }],
  ['an unknown field', { value: 'a', encoding: 'hex' }],
])('refuses a request with %s', (_, request) => {
  expect(refusalOf(() => signer.sign(request as CookieSignRequest))).toMatch(/^malformed_request: /);
  const { value, ...rest } = request as { value: unknown };
  expect(refusalOf(() => signer.verify({ ...rest, cookie: value } as CookieVerifyRequest))).toMatch(
    /^malformed_request: /,
  );
});

it('refuses a value over the limit', () => {
  const limited = inUse('cookie', {}, { maxMessageBytes: 3 });
  expect(refusalOf(() => limited.sign({ value: 'abcd' }))).toContain('message_too_large');
  expect(refusalOf(() => limited.verify({ cookie: 's:a.b' }))).toContain('message_too_large');
});

/** The digit that stands for one bit more, which a lenient reader takes for the same tag. */
function nextDigit(digit = ''): string {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  return digits[digits.indexOf(digit) + 1] ?? '';
}
