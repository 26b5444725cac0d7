/** UTF-8, byte order marks and final newlines, byte for byte. */

import { describe, expect, it } from 'vitest';
import { decodeUtf8, hasByteOrderMark, withoutFinalNewline } from '../../src/bytes/text.ts';

describe('decodeUtf8', () => {
  it.each(['', 'a', 'é', '€', '😀', '\0', '\ufeffa', 'a\n'])('decodes %j', (text) => {
    expect(decodeUtf8(Buffer.from(text))).toBe(text);
  });

  it.each([
    ['a lone continuation byte', [0x80]],
    ['a text that was cut off', [0xe2, 0x82]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['Latin-1', [0x61, 0xe9]],
    ['UTF-16', [0xff, 0xfe, 0x61, 0x00]],
  ])('returns undefined for %s', (_, bytes) => {
    expect(decodeUtf8(Uint8Array.from(bytes))).toBeUndefined();
  });
});

describe('hasByteOrderMark', () => {
  it.each([[[0xef, 0xbb, 0xbf]], [[0xff, 0xfe]], [[0xfe, 0xff, 0x00]]])('finds it in %j', (bytes) => {
    expect(hasByteOrderMark(Uint8Array.from(bytes))).toBe(true);
  });

  it.each([[[]], [[0xef, 0xbb]], [[0xff]], [[0x61, 0xef, 0xbb, 0xbf]]])('finds none in %j', (bytes) => {
    expect(hasByteOrderMark(Uint8Array.from(bytes))).toBe(false);
  });
});

describe('withoutFinalNewline', () => {
  it.each([
    ['a\n', 'a'],
    ['a\r\n', 'a'],
    ['a\n\n', 'a\n'],
    ['a\r', 'a\r'],
    ['\na', '\na'],
    ['\n', ''],
    ['\r\n', ''],
    ['', ''],
  ])('makes of %j %j', (content, expected) => {
    expect(Buffer.from(withoutFinalNewline(Buffer.from(content))).toString()).toBe(expected);
  });

  it('shares the memory, so that it can be overwritten in one place', () => {
    const content = Buffer.from('key\n');
    expect(withoutFinalNewline(content).buffer).toBe(content.buffer);
  });
});
