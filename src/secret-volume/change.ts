/**
 * Tells which files differ between two readings without keeping the bytes of the earlier one.
 */

import { createHash, randomBytes } from 'node:crypto';

/** Which files another generation added, removed or modified: names only, never content. */
export interface Change {
  readonly generation: number;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly modified: readonly string[];
}

/** File name to a digest of its content. */
export type Digests = ReadonlyMap<string, string>;

/** Digests content under a salt that only this process knows, so that a digest reveals nothing outside it. */
export type DigestFile = (content: Uint8Array) => string;

export function createDigest(): DigestFile {
  const salt = randomBytes(32);
  return (content) => createHash('sha256').update(salt).update(content).digest('base64');
}

/** What changed, with its names sorted; undefined when nothing did. */
export function compare(before: Digests, after: Digests): Omit<Change, 'generation'> | undefined {
  const names = [...after.keys()].sort();
  const added = names.filter((name) => !before.has(name));
  const modified = names.filter((name) => before.has(name) && before.get(name) !== after.get(name));
  const removed = [...before.keys()].filter((name) => !after.has(name)).sort();
  return added.length + removed.length + modified.length > 0 ? { added, removed, modified } : undefined;
}
