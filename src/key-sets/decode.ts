/**
 * Key files in their declared encodings to key bytes, strictly and without making a string of them, which could not be
 * overwritten afterwards. Each decoder answers the bytes, or what is wrong and what to do about it.
 */

import { isUtf8 } from 'node:buffer';
import { ok, type Result, refused } from './result.ts';
import type { KeyEncoding } from './settings.ts';

/** Key bytes. A warning, like a problem, completes the sentence "the file …". */
export interface Decoded {
  readonly bytes: Uint8Array;
  readonly warning?: string;
}

const hexDigits = table('0123456789abcdef', '0123456789ABCDEF');
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const base64Digits = table(`${letters}+/`);
const base64urlDigits = table(`${letters}-_`);
const whsecPrefix = Buffer.from('whsec_');
const versionedPrefix = Buffer.from('v1,whsec_');
/** Of UTF-8 and of UTF-16. */
const byteOrderMarks = [Buffer.of(0xef, 0xbb, 0xbf), Buffer.of(0xff, 0xfe), Buffer.of(0xfe, 0xff)];

/** @returns bytes that may share memory with `content` */
export function decodeKey(content: Uint8Array, encoding: Exclude<KeyEncoding, 'jwks'>): Result<Decoded> {
  const decoded = decode(content, encoding);
  if (encoding === 'text' || !decoded.ok || !isBase64Text(decoded.value.bytes)) return decoded;
  const warning =
    'looks like base64 of the key; if it is, say so with "encoding", if it is the key itself, with "encoding: text"';
  return ok({ ...decoded.value, warning });
}

function decode(content: Uint8Array, encoding: Exclude<KeyEncoding, 'jwks'>): Result<Decoded> {
  switch (encoding) {
    case 'bytes':
      return decodeBytes(content);
    case 'text':
      return decodeText(content);
    case 'hex':
      return decodeHex(withoutNewline(content));
    case 'base64':
      return decodeBase64(withoutNewline(content));
    case 'base64url':
      return decodeBase64url(withoutNewline(content));
    case 'whsec':
      return decodeWhsec(withoutNewline(content));
  }
}

function decodeBytes(content: Uint8Array): Result<Decoded> {
  if (content.at(-1) === 0x0a && isPrintable(content)) {
    return refused(
      'is text that ends with a newline, which would become part of the key; write it without one (echo -n), or set "encoding: text" (or hex or base64, if it is that)',
    );
  }
  return ok({ bytes: content });
}

function decodeText(content: Uint8Array): Result<Decoded> {
  if (byteOrderMarks.some((mark) => begins(content, mark))) {
    return refused('begins with a byte order mark; save it as UTF-8 without one');
  }
  if (!isUtf8(content)) return refused('is not UTF-8 text; declare the encoding that it has');
  if (content.includes(0)) return refused('holds NUL, as UTF-16 does; save it as UTF-8');
  const bytes = withoutNewline(content);
  if (bytes.length === content.length) return ok({ bytes });
  return ok({
    bytes,
    warning: 'ends with a newline, which is not part of the key; write it without one (echo -n)',
  });
}

function decodeHex(text: Uint8Array): Result<Decoded> {
  const bytes = text.length % 2 === 0 ? decodeDigits(text, hexDigits, 4) : undefined;
  return bytes === undefined
    ? refused('is not hex: an even number of the digits 0-9 a-f, with nothing around them')
    : ok({ bytes });
}

function decodeBase64(text: Uint8Array): Result<Decoded> {
  const padding = text.at(-1) !== 0x3d ? 0 : text.at(-2) !== 0x3d ? 1 : 2;
  const digits = text.subarray(0, text.length - padding);
  const bytes = text.length % 4 === 0 ? decodeDigits(digits, base64Digits, 6) : undefined;
  return bytes === undefined
    ? refused('is not base64: A-Z a-z 0-9 + / in one line, padded with =, and no unused bits set')
    : ok({ bytes });
}

/** RFC 4648 §5 without padding, as RFC 7515 §2 writes it. */
function decodeBase64url(text: Uint8Array): Result<Decoded> {
  const bytes = decodeDigits(text, base64urlDigits, 6);
  return bytes === undefined
    ? refused('is not base64url: A-Z a-z 0-9 - _ without padding, and no unused bits set')
    : ok({ bytes });
}

/** Standard Webhooks v1.0.0, "Signature scheme": the key is what stands behind the prefix, decoded. */
function decodeWhsec(text: Uint8Array): Result<Decoded> {
  if (!begins(text, whsecPrefix)) {
    return refused('does not begin with "whsec_"; copy the whole secret, and nothing in front of it');
  }
  const decoded = decodeBase64(text.subarray(whsecPrefix.length));
  return decoded.ok ? decoded : refused(`behind "whsec_" ${decoded.problems.join('; ')}`);
}

/** Whether this is the text of a Standard Webhooks secret, perhaps with the version that some dashboards put before it. */
export function isWhsecText(text: Uint8Array): boolean {
  return begins(text, whsecPrefix) || begins(text, versionedPrefix);
}

function begins(text: Uint8Array, prefix: Uint8Array): boolean {
  return prefix.every((byte, index) => text[index] === byte);
}

function withoutNewline(content: Uint8Array): Uint8Array {
  if (content.at(-1) !== 0x0a) return content;
  return content.subarray(0, content.at(-2) === 0x0d ? -2 : -1);
}

/** A text file, most likely made by `echo` or an editor. */
function isPrintable(content: Uint8Array): boolean {
  const isControl = (byte: number) =>
    (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) || byte === 0x7f;
  return !content.some(isControl) && isUtf8(content);
}

/** Whether this could be a key of 16 bytes or more that was encoded once more than its owner knows. */
function isBase64Text(bytes: Uint8Array): boolean {
  return bytes.length > 20 && decodeBase64(bytes).ok && !decodeHex(bytes).ok;
}

/** The value of each ASCII character as a digit; 255 for what is none. */
function table(...alphabets: readonly string[]): Uint8Array {
  const values = new Uint8Array(256).fill(255);
  for (const alphabet of alphabets) {
    for (const [value, digit] of [...alphabet].entries()) values[digit.charCodeAt(0)] = value;
  }
  return values;
}

/** Digits of a power of two to bytes; undefined for a foreign character, a lone digit, or unused bits that are set. */
function decodeDigits(digits: Uint8Array, values: Uint8Array, bitsPerDigit: number): Uint8Array | undefined {
  // Before any memory is taken: most of what is not meant to be digits shows it at once.
  if (digits.some((digit) => values[digit] === 255)) return undefined;
  const bytes = Buffer.allocUnsafeSlow(Math.floor((digits.length * bitsPerDigit) / 8));
  let bits = 0;
  let held = 0;
  let length = 0;
  for (const digit of digits) {
    held = (held << bitsPerDigit) | (values[digit] ?? 0);
    bits += bitsPerDigit;
    if (bits >= 8) {
      bits -= 8;
      bytes[length++] = held >> bits;
      held &= (1 << bits) - 1;
    }
  }
  return bits < bitsPerDigit && held === 0 ? bytes : undefined;
}
