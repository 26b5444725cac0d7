/** The header `Content-Digest` (RFC 9530): how a signature over headers covers the body. */

import { type DigestAlgorithm, digest } from '../../bytes/digest.ts';
import { readDictionary } from './structured-field.ts';

/** RFC 9530 §5: the algorithms of its registry that are not marked as insecure. */
const algorithms: ReadonlyMap<string, DigestAlgorithm> = new Map([
  ['sha-256', 'sha256'],
  ['sha-512', 'sha512'],
]);

export function contentDigest(body: Uint8Array): string {
  return `sha-256=:${digest('sha256', body).toString('base64')}:`;
}

/** Whether the digests of this header are those of the body: all that are supported, and at least one. */
export function isDigestOf(field: string, body: Uint8Array): boolean {
  const digests = readDictionary(field) ?? new Map();
  const supported = [...algorithms].filter(([name]) => digests.has(name));
  const isRight = ([name, algorithm]: (typeof supported)[number]) => {
    const [given] = digests.get(name) ?? [];
    return given instanceof ArrayBuffer && digest(algorithm, body).equals(Buffer.from(given));
  };
  return supported.length > 0 && supported.every(isRight);
}
