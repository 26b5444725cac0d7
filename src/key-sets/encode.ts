/** Key bytes to the text that each encoding of a key file declares: what decode.ts reads. */

import type { TextEncoding } from '../signing/format.ts';

/** For `text`, whose bytes are the key, the text is the bytes in hex. */
export function encodeKey(bytes: Uint8Array, encoding: TextEncoding): Buffer {
  switch (encoding) {
    case 'text':
    case 'hex':
      return hex(bytes);
    case 'base64':
    case 'base64url':
      return Buffer.from(Buffer.from(bytes).toString(encoding));
    case 'whsec':
      return Buffer.from(`whsec_${Buffer.from(bytes).toString('base64')}`);
  }
}

/** Without a string in between, which could not be overwritten: this is done to every key that is derived as text. */
function hex(bytes: Uint8Array): Buffer {
  const digits = '0123456789abcdef';
  const text = Buffer.allocUnsafeSlow(bytes.length * 2);
  for (const [index, byte] of bytes.entries()) {
    text[2 * index] = digits.charCodeAt(byte >> 4);
    text[2 * index + 1] = digits.charCodeAt(byte & 15);
  }
  return text;
}
