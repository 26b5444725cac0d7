/** Reads and writes key files. Each has one declared encoding, which is never guessed from the content. */

import { isUtf8 } from 'node:buffer';
import type { BytesEncoding } from '../api/messages.ts';
import { decode } from '../bytes/encoding.ts';
import { hasByteOrderMark, withoutFinalNewline } from '../bytes/text.ts';
import type { TextEncoding } from '../signing/format.ts';
import { ok, type Result, refused } from './result.ts';
import type { KeyEncoding } from './settings.ts';
import { whsecPrefix } from './whsec.ts';
import { isPrintable, latin1, whyNotDecoded, wrappingWarning, wrappingWarnings } from './wrapping.ts';

export interface Decoded {
  readonly bytes: Uint8Array;
  /** Like problems, each completes the sentence "the file …". */
  readonly warnings: readonly string[];
}

/** Why a text cannot be decoded. Each completes the sentence "the file …". */
export const encodingProblems: Readonly<Record<BytesEncoding, string>> = {
  hex: 'is not hex: an even number of the digits 0-9 a-f, with nothing around them',
  base64: 'is not base64: A-Z a-z 0-9 + / in one line, padded with =, and no unused bits set',
  base64url: 'is not base64url: A-Z a-z 0-9 - _ without padding, and no unused bits set',
};

/** @returns bytes that may share memory with `content` */
export function decodeKey(content: Uint8Array, encoding: Exclude<KeyEncoding, 'jwks'>): Result<Decoded> {
  if (encoding === 'text') return decodeText(content);
  if (encoding === 'bytes') return decodeBytes(content);
  const decoded = decodeDigits(content, encoding);
  if (!decoded.ok) return decoded;
  if (encoding !== 'hex' && isHexText(content)) return ok({ bytes: decoded.value, warnings: [looksLikeHex] });
  return withWarnings(decoded.value);
}

function withWarnings(bytes: Uint8Array): Result<Decoded> {
  const warnings = isBase64Text(bytes) ? [looksLikeBase64] : [];
  return ok({ bytes, warnings });
}

const looksLikeHex = 'is also hex; if it is the key in hex, set "encoding: hex"';

const looksLikeBase64 =
  'looks like base64; if it is the key in base64, set "encoding: base64"; if these characters are the key, set "encoding: text"';

function decodeBytes(content: Uint8Array): Result<Decoded> {
  if (content.at(-1) === 0x0a && isPrintable(content)) {
    return refused(
      wrappingWarning(content) ??
        'is text that ends with a newline, which would become part of the key; write it without one (echo -n), or set "encoding: text" (or hex or base64, if it is that)',
    );
  }
  if (isBase64Text(content)) return withWarnings(content);
  return ok({ bytes: content, warnings: wrappingWarnings(content) });
}

function decodeText(content: Uint8Array): Result<Decoded> {
  if (hasByteOrderMark(content)) {
    return refused('begins with a byte order mark; save it as UTF-8 without one');
  }
  if (!isUtf8(content)) return refused('is not UTF-8 text; declare the encoding that it has');
  if (content.includes(0)) return refused('holds NUL, as UTF-16 does; save it as UTF-8');
  const bytes = withoutFinalNewline(content);
  const warnings = wrappingWarnings(content);
  if (bytes.length === content.length || warnings.length > 0) return ok({ bytes, warnings });
  const newline = 'ends with a newline, which is not part of the key; write it without one (echo -n)';
  return ok({ bytes, warnings: [newline] });
}

/** Hex and the kinds of base64, with at most one newline at the end. */
function decodeDigits(content: Uint8Array, encoding: BytesEncoding | 'whsec'): Result<Uint8Array> {
  const text = latin1(withoutFinalNewline(content));
  if (encoding !== 'whsec') {
    const bytes = decode(text, encoding);
    if (bytes !== undefined) return ok(bytes);
    return refused(encodingProblems[encoding] + whyNotDecoded(content, encoding));
  }
  // Standard Webhooks v1.0.0, "Signature scheme": the key is what follows the prefix, decoded.
  if (!text.startsWith(whsecPrefix)) {
    const isBase64 = decode(text, 'base64') !== undefined;
    const remedy = isBase64
      ? 'it is base64 without that prefix: set "encoding: base64"'
      : 'copy the whole secret, and nothing in front of it';
    return refused(
      `does not begin with "whsec_"; ${remedy}${isBase64 ? '' : whyNotDecoded(content, 'base64')}`,
    );
  }
  const bytes = decode(text.slice(whsecPrefix.length), 'base64');
  if (bytes !== undefined) return ok(bytes);
  const why = whyNotDecoded(content.subarray(whsecPrefix.length), 'base64');
  return refused(`behind "whsec_" ${encodingProblems.base64}${why}`);
}

/** Writes a key as `decodeKey` reads it. With `text`, the digits themselves become the key. */
export function encodeKey(bytes: Uint8Array, encoding: TextEncoding): Buffer {
  const { buffer, byteOffset, length } = bytes;
  const prefix = encoding === 'whsec' ? whsecPrefix : '';
  const written = encoding === 'text' ? 'hex' : encoding === 'whsec' ? 'base64' : encoding;
  return Buffer.from(prefix + Buffer.from(buffer, byteOffset, length).toString(written));
}

/**
 * Whether a text is hex of 16 bytes or more, which is also base64 of other bytes. By chance, base64 is that in less than one
 * of 2^60 cases.
 */
export function isHexText(content: Uint8Array): boolean {
  return /^(?:[0-9a-f]{2}){16,}\n?$|^(?:[0-9A-F]{2}){16,}\n?$/.test(latin1(content));
}

/** Whether the bytes look like base64 of a key of 16 bytes or more, perhaps encoded once too often. */
function isBase64Text(bytes: Uint8Array): boolean {
  if (bytes.length <= 20) return false;
  const text = latin1(bytes);
  return decode(text, 'base64') !== undefined && decode(text, 'hex') === undefined;
}
