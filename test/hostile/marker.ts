/** Keys that can be recognised, and the search for them in everything that came out of a signer. */

import { randomBytes } from 'node:crypto';
import { leaksOfAny } from '../support/leaks.ts';

export interface Markers {
  /** A random key that is searched for from now on. */
  key(bytes?: number): Buffer;
  /** The same of printable text, with characters that JSON escapes. */
  textKey(): Buffer;
  /** Something that came out of a signer. */
  saw(output: Uint8Array | string): void;
  /** The forms in which parts of keys were found in what has been seen since the last call. */
  leaks(): readonly string[];
}

export function createMarkers(): Markers {
  const keys: Buffer[] = [];
  const seen: Buffer[] = [];
  const mark = (key: Buffer) => {
    keys.push(key);
    return key;
  };
  return {
    key: (bytes = 32) => mark(randomBytes(bytes)),
    textKey: () => mark(Buffer.from(`"\\/<&\t${randomBytes(24).toString('base64')}"\\`)),
    saw: (output) => {
      seen.push(Buffer.from(output));
    },
    leaks: () => leaksOfAny(Buffer.concat(seen.splice(0)), keys),
  };
}
