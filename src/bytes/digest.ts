/** Hashes without a key, of what a signature covers without containing it. */

import { hash } from 'node:crypto';

/** FIPS 180-4. */
export type DigestAlgorithm = 'sha256' | 'sha512';

export function digest(algorithm: DigestAlgorithm, content: string | Uint8Array): Buffer {
  return hash(algorithm, content, 'buffer');
}
