/** The HTTP headers of a JSON request: their schema, and their values by name. */

import * as z from 'zod/mini';
import { malformedField, SignerError } from '../api/errors.ts';
import type { HttpHeaders } from '../api/messages.ts';

/** Names and values together. Few servers accept more, and the limit bounds the memory that parsing needs. */
const maxCharacters = 32 * 1024;

export const headers = z
  .custom<HttpHeaders>(isHeaders, 'must be an object whose values are strings or lists of strings')
  .register(z.globalRegistry, {
    type: 'object',
    additionalProperties: { type: ['string', 'array'], items: { type: 'string' } },
  });

/**
 * Returns the values of each header unchanged, by its name in lower case.
 * @throws {SignerError} `malformed_request`, `message_too_large`
 */
export function valuesByName(headers: HttpHeaders): ReadonlyMap<string, readonly string[]> {
  const byName = new Map<string, readonly string[]>();
  let characters = 0;
  for (const [name, value = []] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    // The order of the values of `A` and `a` would be unknown.
    if (byName.has(lower)) {
      throw malformedField(
        'headers',
        'must have each name once; give the values of a repeated header as a list',
      );
    }
    const values = typeof value === 'string' ? [value] : value;
    if (values.length > 0) byName.set(lower, values);
    characters += values.reduce((sum, { length }) => sum + length, name.length);
  }
  if (characters > maxCharacters) {
    throw new SignerError(
      'message_too_large',
      `field "headers": has at most ${maxCharacters} characters; leave out headers that the signature does not cover`,
    );
  }
  return byName;
}

function isHeaders(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const isText = (each: unknown) => typeof each === 'string';
  return Object.values(value).every((each) => isText(each) || (Array.isArray(each) && each.every(isText)));
}
