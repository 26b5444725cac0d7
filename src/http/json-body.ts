/**
 * Parses JSON bodies. A text that would become far more memory than its own length is refused unparsed: a mebibyte of
 * brackets is a hundred mebibytes of arrays.
 */

import { SignerError } from '../api/errors.ts';

/** Members and elements of one text; a batch of 1,000 items may have 30 in each. */
const maxValues = 32 * 1024;
const maxDepth = 64;
/** What a shorter text can become is not worth a look. */
const smallBytes = 4096;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * @param parse of the text; throws for what is not JSON
 * @throws {SignerError} `malformed_request`, `message_too_large`
 */
export function parseJson(bytes: Uint8Array, parse: (text: string) => unknown = JSON.parse): unknown {
  if (bytes.length > smallBytes) refuseBomb(bytes);
  try {
    return parse(decoder.decode(bytes));
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

/** Counts what opens or continues an array or an object, outside of strings. */
function refuseBomb(bytes: Uint8Array): void {
  let values = 0;
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case quote:
        at = endOfString(bytes, at);
        if (at < 0) return; // not JSON, as the parser will say
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

/** The index of the quote that ends the string begun at `start`, or -1. */
function endOfString(bytes: Uint8Array, start: number): number {
  for (let end = bytes.indexOf(quote, start + 1); end >= 0; end = bytes.indexOf(quote, end + 1)) {
    let escapes = 0;
    while (bytes[end - 1 - escapes] === backslash) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return -1;
}
