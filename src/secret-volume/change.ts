/**
 * Finds the files that differ between two readings, without keeping the bytes of the earlier one.
 */

import { createHash, randomBytes } from 'node:crypto';

/** The names of the files that a new generation added, removed or modified. */
export interface Change {
  readonly generation: number;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly modified: readonly string[];
}

/** The digest of each file's content, by its name. */
export type Digests = ReadonlyMap<string, string>;

/** Digests content with a salt that only this process knows, so that nobody else can test guesses against a digest. */
export type DigestFile = (content: Uint8Array) => string;

export function createDigest(): DigestFile {
  const salt = randomBytes(32);
  return (content) => createHash('sha256').update(salt).update(content).digest('base64');
}

/** Returns the changed names, sorted; undefined if nothing changed. */
export function compare(before: Digests, after: Digests): Omit<Change, 'generation'> | undefined {
  const names = [...after.keys()].sort();
  const added = names.filter((name) => !before.has(name));
  const modified = names.filter((name) => before.has(name) && before.get(name) !== after.get(name));
  const removed = [...before.keys()].filter((name) => !after.has(name)).sort();
  return added.length + removed.length + modified.length > 0 ? { added, removed, modified } : undefined;
}
