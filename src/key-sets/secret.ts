/** The content of a secret file, held where neither a log line nor an inspector shows it. */

import { createSecretKey, type KeyObject } from 'node:crypto';
import { yieldTurns } from '../turns.ts';

export type Secret = KeyObject;

/** Takes the bytes over: the original is overwritten. */
export function sealSecret(bytes: Uint8Array): Secret {
  const secret = createSecretKey(bytes);
  bytes.fill(0);
  return secret;
}

/** Takes all of a directory over. */
export async function sealFiles(
  files: ReadonlyMap<string, Uint8Array>,
): Promise<ReadonlyMap<string, Secret>> {
  const pause = yieldTurns();
  const sealed = new Map<string, Secret>();
  for (const [path, bytes] of files) {
    await pause();
    sealed.set(path, sealSecret(bytes));
  }
  return sealed;
}

/** Lends the bytes for as long as `use` runs; they are overwritten afterwards. */
export function withBytes<T>(secret: Secret, use: (bytes: Buffer) => T): T {
  const bytes = secret.export();
  try {
    return use(bytes);
  } finally {
    bytes.fill(0);
  }
}
