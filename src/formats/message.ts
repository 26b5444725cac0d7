/** A message as a JSON request writes it, to bytes: a message is bytes, whatever its text looks like. */

import * as z from 'zod/mini';
import { SignerError } from '../api/errors.ts';
import { decode } from '../bytes/encoding.ts';

export const messageEncoding = z.optional(z.enum(['utf8', 'base64', 'hex']));

/** Whether a string stands for the same bytes everywhere: lone surrogates become U+FFFD, and NUL ends it for some. */
export function isText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/**
 * @param field the request's field that holds the text
 * @throws {SignerError} `malformed_request` for text that is not well formed, or not in the encoding
 */
export function messageBytes(
  field: string,
  text: string,
  encoding: z.infer<typeof messageEncoding> = 'utf8',
): Uint8Array {
  if (encoding === 'utf8') {
    if (!isText(text)) {
      throw new SignerError(
        'malformed_request',
        `field "${field}": as text it must be well-formed Unicode without NUL; send other bytes as base64 or hex`,
      );
    }
    return Buffer.from(text);
  }
  const bytes = decode(text, encoding);
  if (bytes === undefined) {
    throw new SignerError(
      'malformed_request',
      `field "${field}": not ${encoding}, which "encoding" says it is`,
    );
  }
  return bytes;
}
