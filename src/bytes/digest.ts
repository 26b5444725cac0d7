/** Hashes without a key: of request bodies, which a signature covers by their digest. */

import { hash } from 'node:crypto';

/** FIPS 180-4. */
export type DigestAlgorithm = 'sha256' | 'sha512';

/** In hex, which costs less than to encode the bytes afterwards. */
export function hexDigest(algorithm: DigestAlgorithm, content: string | Uint8Array): string {
  return hash(algorithm, content, 'hex');
}

export function digest(algorithm: DigestAlgorithm, content: string | Uint8Array): Buffer {
  return hash(algorithm, content, 'buffer');
}
