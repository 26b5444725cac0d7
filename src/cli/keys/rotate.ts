/** `sidecar-signer keys add | promote | remove`: the steps of rotating a JWK set, in a file or in a Secret manifest. */

import { randomBytes } from 'node:crypto';
import { SettingError } from '../../config/setting-error.ts';
import { addKey, promoteKey, RotationError, removeKey } from '../../keys/rotation.ts';
import { type Algorithm, keyId, tagBytes } from '../../mac.ts';
import { openTarget } from './target.ts';

export interface TargetOptions {
  readonly entry?: string;
}

export function keysAdd(
  file: string,
  { entry, algorithm, kid }: TargetOptions & { algorithm: Algorithm; kid?: string },
): void {
  const bytes = randomBytes(tagBytes(algorithm));
  const id = kid ?? keyId(bytes);
  step(file, entry, (content) => addKey(content, { id, bytes, algorithm }), `added ${id}, which verifies`);
}

export function keysPromote(file: string, kid: string, { entry }: TargetOptions): void {
  step(file, entry, (content) => promoteKey(content, kid), `${kid} is the primary, which signs`);
}

export function keysRemove(file: string, kid: string, { entry }: TargetOptions): void {
  step(file, entry, (content) => removeKey(content, kid), `removed ${kid}`);
}

function step(
  file: string,
  entry: string | undefined,
  change: (content: Uint8Array) => string,
  done: string,
): void {
  const target = openTarget(file, entry);
  try {
    target.write(Buffer.from(change(target.read())));
  } catch (error) {
    if (error instanceof RotationError) throw new SettingError(`${target.name}: ${error.message}`);
    throw error;
  }
  // Standard output may be the manifest.
  process.stderr.write(`${target.name}: ${done}\n`);
}
