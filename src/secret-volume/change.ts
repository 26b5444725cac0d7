/**
 * Tells which files differ between two readings without keeping the bytes of the earlier one.
 */

import { createHash } from 'node:crypto';
import { createPace } from './pace.ts';

/** Which files another generation added, removed or modified: names only, never content. */
export interface Change {
  readonly generation: number;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly modified: readonly string[];
}

/** File name to a digest of its content. */
export type Digests = ReadonlyMap<string, string>;

/** @param salt random bytes of this process, so that a digest tells nothing outside it */
export async function digest(files: ReadonlyMap<string, Uint8Array>, salt: Uint8Array): Promise<Digests> {
  const digests = new Map<string, string>();
  const pace = createPace();
  for (const [name, bytes] of files) {
    await pace();
    digests.set(name, createHash('sha256').update(salt).update(bytes).digest('base64'));
  }
  return digests;
}

/** What changed, with its names sorted; undefined when nothing did. */
export function compare(before: Digests, after: Digests): Omit<Change, 'generation'> | undefined {
  const names = [...after.keys()].sort();
  const added = names.filter((name) => !before.has(name));
  const modified = names.filter((name) => before.has(name) && before.get(name) !== after.get(name));
  const removed = [...before.keys()].filter((name) => !after.has(name)).sort();
  return added.length + removed.length + modified.length > 0 ? { added, removed, modified } : undefined;
}
