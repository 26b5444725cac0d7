/** Strict parsing of structured field dictionaries (RFC 9651 §3.2). */

import { type Dictionary, parseDictionary, serializeDictionary } from 'structured-headers';

/**
 * Undefined for a text that is not a dictionary, or that another parser could read differently: duplicate members or
 * parameters, 1.0 for 1, unused bits in base64. What every parser discards may vary.
 */
export function readDictionary(field: string): Dictionary | undefined {
  try {
    const dictionary = parseDictionary(field);
    return withoutDiscarded(serializeDictionary(dictionary)) === withoutDiscarded(field)
      ? dictionary
      : undefined;
  } catch {
    return undefined;
  }
}

/** A string or display string, or what parsing discards around other characters. */
const stringOrDiscarded =
  /(?<text>%"[^"]*"|"(?:[^"\\]|\\.)*")|[ \t]*,[ \t]*|; +|\( +| +\)| +|(?<isTrue>=\?1)/g;

/**
 * Removes the white space that RFC 9651 §4.2.1.2, §4.2.2 and §4.2.3.2 discard, and the value of a parameter that is true,
 * which §4.1.1.2 does not write.
 */
function withoutDiscarded(field: string): string {
  return field.trim().replace(stringOrDiscarded, (match, text?: string, isTrue?: string) => {
    if (isTrue !== undefined) return '';
    return text ?? (match.trim() || ' ');
  });
}
