/** Turns the message of a JSON request into bytes. */

import * as z from 'zod/mini';
import { malformedField } from '../api/errors.ts';
import { decode } from '../bytes/encoding.ts';

export const messageEncoding = z.optional(z.enum(['utf8', 'base64', 'hex']));

/**
 * Whether every program reads the same bytes from a string: encoders replace lone surrogates by U+FFFD, and some
 * programs stop at NUL.
 */
export function isText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/**
 * @param field the request field that contains the text, for error messages
 * @throws {SignerError} `malformed_request` if the text is not well formed, or not in the encoding
 */
export function messageBytes(
  field: string,
  text: string,
  encoding: z.infer<typeof messageEncoding> = 'utf8',
): Uint8Array {
  if (encoding === 'utf8') {
    if (!isText(text)) {
      throw malformedField(
        field,
        'as text it must be well-formed Unicode without NUL; send other bytes as base64 or hex',
      );
    }
    return Buffer.from(text);
  }
  const bytes = decode(text, encoding);
  if (bytes === undefined) throw malformedField(field, `must be ${encoding}, as "encoding" says`);
  return bytes;
}
