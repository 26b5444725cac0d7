/** Dictionaries of structured fields (RFC 9651), with one text for each. */

import { type Dictionary, parseDictionary, serializeDictionary } from 'structured-headers';

/**
 * Undefined for what is no dictionary, or is not written as RFC 9651 §4.1 writes it: a member or a parameter twice, 1.0
 * for 1, unused bits in base64. Another reader could take such a text for something else. White space around commas
 * is free, since proxies that join headers choose it.
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
