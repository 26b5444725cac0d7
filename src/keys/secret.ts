/** The content of a secret file, held where neither a log line nor an inspector shows it. */

import { createSecretKey, type KeyObject } from 'node:crypto';

export type Secret = KeyObject;

/** Takes the bytes over: the original is overwritten. */
export function sealSecret(bytes: Uint8Array): Secret {
  const secret = createSecretKey(bytes);
  bytes.fill(0);
  return secret;
}

/** Lends the bytes for as long as `use` runs; they are overwritten afterwards. */
export function withBytes<T>(secret: Secret, use: (bytes: Uint8Array) => T): T {
  const bytes = secret.export();
  try {
    return use(bytes);
  } finally {
    bytes.fill(0);
  }
}
