/**
 * Tells which files differ between two readings without keeping the bytes of the earlier one.
 */

import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';

/** Which files another generation added, removed or modified: names only, never content. */
export interface Change {
  readonly generation: number;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly modified: readonly string[];
}

/** File name to a digest of its content. */
export type Digests = ReadonlyMap<string, string>;

/** The event loop goes on in between: a host program answers requests while a large volume is reloaded. */
const yieldEachMs = 1;

/** @param salt random bytes of this process, so that a digest tells nothing outside it */
export async function digest(files: ReadonlyMap<string, Uint8Array>, salt: Uint8Array): Promise<Digests> {
  const digests = new Map<string, string>();
  let started = Number.NEGATIVE_INFINITY;
  for (const [name, bytes] of files) {
    if (performance.now() - started > yieldEachMs) {
      await setImmediate();
      started = performance.now();
    }
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
