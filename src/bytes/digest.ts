/** Hashes without a key: of request bodies, which a signature covers by their digest. */

import { hash } from 'node:crypto';

/** FIPS 180-4. */
export type DigestAlgorithm = 'sha256' | 'sha512';

export function digest(algorithm: DigestAlgorithm, content: string | Uint8Array): Buffer {
  return hash(algorithm, content, 'buffer');
}
