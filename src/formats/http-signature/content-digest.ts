/** The header `Content-Digest` (RFC 9530), by which a signature over headers covers the body. */

import { type DigestAlgorithm, digest } from '../../bytes/digest.ts';
import { readDictionary } from './structured-field.ts';

/** The algorithms whose registered status is active (RFC 9530 §5); the others are deprecated. */
const algorithms: ReadonlyMap<string, DigestAlgorithm> = new Map([
  ['sha-256', 'sha256'],
  ['sha-512', 'sha512'],
]);

export function contentDigest(body: Uint8Array): string {
  return `sha-256=:${digest('sha256', body).toString('base64')}:`;
}

/** Whether the header has at least one supported digest, and all supported digests fit the body. */
export function isDigestOf(field: string, body: Uint8Array): boolean {
  const digests = readDictionary(field) ?? new Map();
  const supported = [...algorithms].filter(([name]) => digests.has(name));
  const isCorrect = ([name, algorithm]: (typeof supported)[number]) => {
    const [received] = digests.get(name) ?? [];
    return received instanceof ArrayBuffer && digest(algorithm, body).equals(Buffer.from(received));
  };
  return supported.length > 0 && supported.every(isCorrect);
}
