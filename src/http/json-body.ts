/** Parses JSON bodies, and refuses those that would need much memory. */

import { SignerError } from '../api/errors.ts';
import { isSmallJson, type JsonSize } from '../bytes/small-json.ts';
import { decodeUtf8 } from '../bytes/text.ts';
import { release } from './release.ts';

/** Far more than a request of any format needs, and few enough that parsing and checking them delays nobody. */
export const mostOfRequest: JsonSize = { values: 4096, depth: 64 };
/** Each of the 1,000 items of a batch may have 30 values. */
export const mostOfBatch: JsonSize = { values: 32 * 1024, depth: 64 };
/** A shorter text is neither checked nor freed. */
const smallBytes = 4096;

/**
 * @param bytes are freed
 * @param parse throws for a text that is not JSON
 * @throws {SignerError} `malformed_request`, `message_too_large`
 */
export function parseJson(
  bytes: Uint8Array,
  most: JsonSize,
  parse: (text: string) => unknown = JSON.parse,
): unknown {
  const isLong = bytes.length > smallBytes;
  if (isLong && !isSmallJson(bytes, most)) {
    throw new SignerError(
      'message_too_large',
      `a JSON body has at most ${most.values} values, nested at most ${most.depth} deep; send less at once`,
    );
  }
  // The empty text is no JSON.
  const text = decodeUtf8(bytes) ?? '';
  if (isLong) release(bytes);
  try {
    return parse(text);
  } catch {
    throw new SignerError(
      'malformed_request',
      'the body must be one JSON text in UTF-8, without a byte order mark',
    );
  }
}
