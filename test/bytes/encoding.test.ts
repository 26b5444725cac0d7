/** Bytes as text: one text for each byte string, and nothing else is accepted. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BytesEncoding } from '../../src/api/messages.ts';
import { bytesEncodings, decode, encode } from '../../src/bytes/encoding.ts';

const bytes = fc.uint8Array({ maxLength: 80 }).map((array) => Buffer.from(array));
const encodings = fc.constantFrom(...bytesEncodings);
/** The alphabets, and what a lenient decoder skips or takes for something else. */
const characters = fc.constantFrom(...'ABab01+/-_=', ' ', '\n', '\r', '\t', '\0', '.', 'g', 'é', '');
/** An encoded text with one character inserted, or put in the place of some. */
const nearlyEncoded = fc
  .tuple(bytes, encodings, fc.nat(), fc.nat({ max: 3 }), characters)
  .map(([original, encoding, at, removed, character]) => {
    const text = encode(original, encoding);
    const index = at % (text.length + 1);
    return text.slice(0, index) + character + text.slice(index + removed);
  });

it('knows hex, base64 and base64url', () => {
  expect(bytesEncodings).toEqual(['hex', 'base64', 'base64url']);
});

describe('decode', () => {
  it('gives back the bytes that were encoded', () => {
    fc.assert(
      fc.property(bytes, encodings, (original, encoding) => {
        expect(decode(encode(original, encoding), encoding)).toEqual(new Uint8Array(original));
      }),
      { numRuns: 500 },
    );
  });

  it('accepts no second text for the same bytes, but for the case of hex, and throws at none', () => {
    fc.assert(
      fc.property(nearlyEncoded, encodings, (text, encoding) => {
        const decoded = decode(text, encoding);
        const canonical = encoding === 'hex' ? text.toLowerCase() : text;
        if (decoded !== undefined) expect(encode(Buffer.from(decoded), encoding)).toBe(canonical);
      }),
      { numRuns: 1500 },
    );
  });
});

describe.each<[BytesEncoding, string, readonly number[]]>([
  ['hex', '', []],
  ['hex', '00ff10', [0, 255, 16]],
  ['hex', 'ABcd', [0xab, 0xcd]],
  ['base64', '', []],
  ['base64', 'AA==', [0]],
  ['base64', 'AAA=', [0, 0]],
  ['base64', '+/+/', [0xfb, 0xff, 0xbf]],
  ['base64url', '', []],
  ['base64url', 'AA', [0]],
  ['base64url', 'AAA', [0, 0]],
  ['base64url', '-_-_', [0xfb, 0xff, 0xbf]],
])('%s %j', (encoding, text, expected) => {
  it('is accepted', () => {
    expect(decode(text, encoding)).toEqual(Uint8Array.from(expected));
  });
});

describe.each<[BytesEncoding, string, string]>([
  ['hex', 'abc', 'half a byte'],
  ['hex', 'zz', 'no digits'],
  ['hex', '00zz11', 'no digits in between'],
  ['hex', '0x00', 'a prefix'],
  ['hex', '00 11', 'a space'],
  ['hex', '0011\n', 'a newline'],
  ['hex', '００', 'full-width digits'],
  ['hex', '0\u00000', 'NUL'],
  ['base64', 'AB==', 'padding bits that are not zero'],
  ['base64', 'AAB=', 'padding bits that are not zero'],
  ['base64', 'AA', 'missing padding'],
  ['base64', 'AA=', 'half the padding'],
  ['base64', 'AA===', 'too much padding'],
  ['base64', '=', 'padding alone'],
  ['base64', '====', 'padding alone'],
  ['base64', 'AA==AA==', 'text after the padding'],
  ['base64', 'A', 'six bits'],
  ['base64', 'AA ==', 'a space'],
  ['base64', 'AAAA\n', 'a newline'],
  ['base64', '\tAAAA', 'a tab'],
  ['base64', '-_-_', 'the other alphabet'],
  ['base64', 'AA*=', 'a character of no alphabet'],
  ['base64url', '+/+/', 'the other alphabet'],
  ['base64url', 'AA==', 'padding'],
  ['base64url', 'AAA=', 'padding'],
  ['base64url', 'AB', 'padding bits that are not zero'],
  ['base64url', 'A', 'six bits'],
  ['base64url', 'AAAAA', 'six bits'],
  ['base64url', 'AA AA', 'a space'],
  ['base64url', 'AA\n', 'a newline'],
  ['base64url', 'AAAA\n', 'a newline'],
])('%s %j', (encoding, text, why) => {
  it(`is refused: ${why}`, () => {
    expect(decode(text, encoding)).toBeUndefined();
  });
});
