/** Strict parsing of structured field dictionaries (RFC 9651 §3.2): each dictionary has exactly one text. */

import { type Dictionary, parseDictionary, serializeDictionary } from 'structured-headers';

/**
 * Undefined for a text that is not a dictionary, or not in the form that RFC 9651 §4.1 serializes: duplicate members or
 * parameters, 1.0 for 1, unused bits in base64. Another parser could read such a text differently. White space around
 * commas may vary, because proxies that join headers choose it.
 */
export function readDictionary(field: string): Dictionary | undefined {
  try {
    const dictionary = parseDictionary(field);
    return withoutSpaces(serializeDictionary(dictionary)) === withoutSpaces(field) ? dictionary : undefined;
  } catch {
    return undefined;
  }
}

function withoutSpaces(field: string): string {
  return field
    .split(',')
    .map((part) => part.trim())
    .join(',');
}
