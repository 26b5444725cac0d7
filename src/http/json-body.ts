/** Parses JSON bodies. It first refuses a text that would need much memory: 1 MiB of brackets becomes 100 MiB of arrays. */

import { SignerError } from '../api/errors.ts';
import { release } from '../bytes/release.ts';
import { decodeUtf8 } from '../bytes/text.ts';

/** Limits members and elements together. Each of 1,000 items of a batch may have 30. */
const maxValues = 32 * 1024;
const maxDepth = 64;
/** A shorter text is neither checked nor freed. */
const smallBytes = 4096;

/**
 * @param bytes are freed
 * @param parse throws for a text that is not JSON
 * @throws {SignerError} `malformed_request`, `message_too_large`
 */
export function parseJson(bytes: Uint8Array, parse: (text: string) => unknown = JSON.parse): unknown {
  const isLong = bytes.length > smallBytes;
  if (isLong) refuseBomb(bytes);
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

const quote = 0x22;
const comma = 0x2c;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Counts the brackets and commas outside strings. */
function refuseBomb(bytes: Uint8Array): void {
  let values = 0;
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case quote:
        at = endOfString(bytes, at);
        if (at < 0) return; // not JSON: the parser will refuse it
        break;
      case comma:
        values++;
        break;
      case openBracket:
      case openBrace:
        values++;
        depth++;
        break;
      case closeBracket:
      case closeBrace:
        depth--;
        break;
    }
    if (values > maxValues || depth > maxDepth) {
      throw new SignerError(
        'message_too_large',
        `a JSON body has at most ${maxValues} values, nested at most ${maxDepth} deep; send less at once`,
      );
    }
  }
}

/** The index of the closing quote of the string that starts at `start`, or -1. */
function endOfString(bytes: Uint8Array, start: number): number {
  for (let end = bytes.indexOf(quote, start + 1); end >= 0; end = bytes.indexOf(quote, end + 1)) {
    let escapes = 0;
    while (bytes[end - 1 - escapes] === backslash) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return -1;
}
