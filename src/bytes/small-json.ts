/** Bounds what a JSON text costs to parse: 1 MiB of brackets becomes 100 MiB of arrays, and takes half a second. */

const quote = 0x22;
const comma = 0x2c;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

export interface JsonSize {
  /** Members and elements together; an object or a list counts as one more. */
  readonly values: number;
  readonly depth: number;
}

/**
 * Whether a text has at most so many values and levels, as far as its punctuation tells. Counts the brackets and commas
 * outside strings. The answer means nothing for a text that is not JSON, which the parser refuses.
 */
export function isSmallJson(bytes: Uint8Array, most: JsonSize): boolean {
  let [values, depth] = [0, 0];
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case quote:
        at = endOfString(bytes, at);
        if (at < 0) return true;
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
    if (values > most.values || depth > most.depth) return false;
  }
  return true;
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
