/** Verifies tags in constant time, for every format. */

import type { Invalid, Verification, VerificationFailure } from '../api/messages.ts';
import { equalTags, type Key } from './mac.ts';

/**
 * Finds the key that made one of the received tags. Every key is compared with every tag, so that the time reveals
 * neither which key matched nor which tag.
 * @param keys all keys of the key set, the primary first
 * @param received the tags of the request, of which one match is enough
 * @param tagOfKey computes the tag of the message by one key
 * @param candidates those of `keys` that may have made the tag. Default: all
 */
export function verifyTag<K extends Key>(
  keys: readonly K[],
  received: readonly Uint8Array[],
  tagOfKey: (key: K) => Uint8Array,
  candidates: readonly K[] = keys,
): Verification {
  const matches = candidates.map((key) => {
    const expected = tagOfKey(key);
    return received.map((tag) => equalTags(expected, tag)).includes(true);
  });
  const key = candidates[matches.indexOf(true)];
  return key === undefined ? invalid('mismatch') : { valid: true, keyId: key.id, primary: key === keys[0] };
}

/** @param detail see `Invalid` */
export function invalid(reason: VerificationFailure, detail?: string): Invalid {
  return { valid: false, reason, ...(detail !== undefined && { detail }) };
}
