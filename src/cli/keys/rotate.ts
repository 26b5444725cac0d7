/** `sidecar-signer keys add | promote | remove`: the steps of rotating a JWK set, in a file or in a Secret manifest. */

import { randomBytes } from 'node:crypto';
import { SettingError } from '../../config/setting-error.ts';
import { addKey, primaryOf, promoteKey, RotationError, removeKey } from '../../keys/rotation.ts';
import { type Algorithm, keyId, tagBytes } from '../../mac.ts';
import { openTarget } from './target.ts';

export interface TargetOptions {
  readonly entry?: string;
}

export function keysAdd(
  file: string,
  { entry, algorithm, kid }: TargetOptions & { algorithm?: Algorithm; kid?: string },
): void {
  step(file, entry, (content) => {
    const key = newKey(content, algorithm);
    const id = kid ?? keyId(key.bytes);
    return { content: addKey(content, { id, ...key }), done: `added ${id}, which verifies` };
  });
}

/** Without another wish, for what the primary is for and no shorter: the set's readers expect no less. */
function newKey(content: Uint8Array, wanted: Algorithm | undefined) {
  if (wanted !== undefined) return { bytes: randomBytes(tagBytes(wanted)), algorithm: wanted };
  const { algorithm, length } = primaryOf(content);
  return { bytes: randomBytes(Math.max(length, tagBytes(algorithm ?? 'HS256'))), algorithm };
}

export function keysPromote(file: string, kid: string, { entry }: TargetOptions): void {
  const done = `${kid} is the primary, which signs`;
  step(file, entry, (content) => ({ content: promoteKey(content, kid), done }));
}

export function keysRemove(file: string, kid: string, { entry }: TargetOptions): void {
  step(file, entry, (content) => ({ content: removeKey(content, kid), done: `removed ${kid}` }));
}

/** The set's next content, and what to say of it. */
interface Change {
  readonly content: string;
  readonly done: string;
}

function step(file: string, entry: string | undefined, change: (content: Uint8Array) => Change): void {
  const target = openTarget(file, entry);
  try {
    const { content, done } = change(target.read());
    target.write(Buffer.from(content));
    // Standard output may be the manifest.
    process.stderr.write(`${target.name}: ${done}\n`);
  } catch (error) {
    if (error instanceof RotationError) throw new SettingError(`${target.name}: ${error.message}`);
    throw error;
  }
}
