/**
 * Bytes to text and back, strictly: one text for each byte string, so that a signature or a message cannot be written
 * in two ways. Decoders answer undefined for anything else.
 */

import type { BytesEncoding } from '../api/messages.ts';

/** `base64` is padded, `base64url` is not, `hex` is written in lower case. */
export const bytesEncodings: readonly BytesEncoding[] = ['hex', 'base64', 'base64url'];

export function encode(bytes: Buffer, encoding: BytesEncoding): string {
  return bytes.toString(encoding);
}

/** RFC 4648 §3.5: padding bits must be zero, and nothing outside the alphabet is skipped. Hex may be in either case. */
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

/** Decodes what `encode` writes and nothing else: hex in lower case alone. */
export function decodeExactly(text: string, encoding: BytesEncoding): Uint8Array | undefined {
  return encoding === 'hex' && /[A-F]/.test(text) ? undefined : decode(text, encoding);
}

/** The platform's decoder skips white space; its absence shows in the length. */
function unlessSpaced(text: string, bytes: Uint8Array): Uint8Array | undefined {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  return text.length === ((bytes.length + padding) / 3) * 4 ? bytes : undefined;
}
