/** Reads the message of a JSON request. */

import * as z from 'zod/mini';
import { malformedField } from '../api/errors.ts';
import { decode } from '../bytes/encoding.ts';
import type { MessagePart } from '../signing/mac.ts';

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
 * @returns the text itself for UTF-8, and otherwise the bytes
 * @throws {SignerError} `malformed_request` if the text is not well formed, or not in the encoding
 */
export function messageOf(
  field: string,
  text: string,
  encoding: z.infer<typeof messageEncoding> = 'utf8',
): MessagePart {
  if (encoding === 'utf8') {
    if (!isText(text)) {
      throw malformedField(
        field,
        'as text it must be well-formed Unicode without NUL; send other bytes as base64 or hex',
      );
    }
    return text;
  }
  const bytes = decode(text, encoding);
  if (bytes === undefined) throw malformedField(field, `must be ${encoding}, as "encoding" says`);
  return bytes;
}

/** The bytes of a message, for formats that need them: see `messageOf`. */
export function messageBytes(...message: Parameters<typeof messageOf>): Uint8Array {
  const part = messageOf(...message);
  return typeof part === 'string' ? Buffer.from(part) : part;
}
