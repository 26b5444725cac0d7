/**
 * Strict hex, base64 and base64url (RFC 4648): each byte string has exactly one text, so that nobody can write the same
 * signature in two ways. Decoders return undefined for anything else.
 */

import type { BytesEncoding } from '../api/encodings.ts';

/**
 * `base64` is padded and `base64url` is not. `hex` is written in lower case, and comes first because its digits are base64
 * as well.
 */
export const bytesEncodings: readonly BytesEncoding[] = ['hex', 'base64', 'base64url'];

export function encode(bytes: Buffer, encoding: BytesEncoding): string {
  return bytes.toString(encoding);
}

/** Padding bits must be zero (RFC 4648 §3.5), and no other character is skipped (§3.3). Hex may be in either case. */
export function decode(text: string, encoding: BytesEncoding): Uint8Array | undefined {
  try {
    switch (encoding) {
      case 'hex':
        return Uint8Array.fromHex(text);
      case 'base64':
        return unlessSpaced(text, Uint8Array.fromBase64(text, { lastChunkHandling: 'strict' }));
      case 'base64url': {
        if (text.includes('=')) return undefined;
        const padded = text.padEnd(Math.ceil(text.length / 4) * 4, '=');
        return unlessSpaced(
          padded,
          Uint8Array.fromBase64(padded, { alphabet: 'base64url', lastChunkHandling: 'strict' }),
        );
      }
    }
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Decodes only what `encode` writes: hex in lower case alone. */
export function decodeExactly(text: string, encoding: BytesEncoding): Uint8Array | undefined {
  return encoding === 'hex' && /[A-F]/.test(text) ? undefined : decode(text, encoding);
}

/** `Uint8Array.fromBase64` skips white space. A text with white space is longer than its bytes need. */
function unlessSpaced(text: string, bytes: Uint8Array): Uint8Array | undefined {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  return text.length === ((bytes.length + padding) / 3) * 4 ? bytes : undefined;
}
