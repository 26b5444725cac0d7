/**
 * All key sets of one moment, immutable. A request takes one snapshot and uses it from beginning to end, so a
 * rotation can neither fail it nor mix generations in it.
 */

import type { Key } from '../mac.ts';
import { VolumeError, type VolumeProblem } from '../secret-volume/index.ts';
import type { LoadedKey } from './key-file.ts';
import type { KeySettings } from './settings.ts';

/** A key that signs no more but still verifies. */
export interface RetainedKey {
  readonly key: Key;
  readonly marks: readonly string[];
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** What a caller names: exactly one primary key, which signs, and those that still verify, newest first. */
export interface KeySet {
  readonly name: string;
  readonly settings: KeySettings;
  readonly primary: Key;
  readonly marks: readonly string[];
  /** When the primary became the primary, as this process saw it. */
  readonly since: Date;
  readonly retained: readonly RetainedKey[];
}

export interface Snapshot {
  /** Counts up from 1. */
  readonly generation: number;
  readonly keySets: ReadonlyMap<string, KeySet>;
  readonly loadedAt: Date;
}

/** Bounds what one verification costs when keys are replaced faster than they expire. */
export const maxRetainedKeys = 64;

/**
 * The snapshot that follows `previous`: replaced keys are retained for verification, removed key sets are gone.
 * @throws {VolumeError} when a name stands for two files, or a key under two names
 */
export function nextSnapshot(
  previous: Snapshot | undefined,
  keys: readonly LoadedKey[],
  now: Date,
): Snapshot {
  refuseDuplicates(keys);
  const keySets = keys.map((loaded) => nextKeySet(previous?.keySets.get(loaded.name), loaded, now));
  keySets.sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    generation: (previous?.generation ?? 0) + 1,
    keySets: new Map(keySets.map((keySet) => [keySet.name, keySet])),
    loadedAt: now,
  };
}

/** The keys that verify at `now`, the primary first. */
export function verificationKeys({ primary, retained }: KeySet, now: number): readonly Key[] {
  return [primary, ...retained.filter(({ until }) => now < until).map(({ key }) => key)];
}

function nextKeySet(previous: KeySet | undefined, loaded: LoadedKey, now: Date): KeySet {
  const { name, settings, marks } = loaded;
  const kept = previous?.retained.filter(({ until }) => now.getTime() < until) ?? [];
  if (previous !== undefined && sameKey(previous, loaded)) {
    return { ...previous, settings, retained: kept };
  }
  const until = now.getTime() + settings.retainPreviousSeconds * 1000;
  const replaced = previous === undefined ? [] : [{ key: previous.primary, marks: previous.marks, until }];
  // A key that comes back as the primary is not its own predecessor.
  const retained = [...replaced, ...kept].filter((old) => !sameMarks(old.marks, marks));
  return {
    name,
    settings,
    primary: loaded.key,
    marks,
    since: now,
    retained: retained.slice(0, maxRetainedKeys),
  };
}

function sameKey(previous: KeySet, { settings, marks }: LoadedKey): boolean {
  return previous.settings.algorithm === settings.algorithm && sameMarks(previous.marks, marks);
}

function sameMarks(a: readonly string[], b: readonly string[]): boolean {
  return a.some((mark) => b.includes(mark));
}

/** A name stands for one file, and a key for one name (compared as HMAC compares keys, by their marks). */
function refuseDuplicates(keys: readonly LoadedKey[]): void {
  const names = new Set<string>();
  const holders = new Map<string, string>();
  const problems: VolumeProblem[] = [];
  const refuse = (name: string, what: string) => {
    problems.push({ code: 'refused', name, message: `"${name}" ${what}` });
  };
  for (const { name, marks } of keys) {
    const holder = marks.map((mark) => holders.get(mark)).find((other) => other !== undefined);
    if (names.has(name)) refuse(name, 'is the name of two files; rename one of them');
    else if (holder !== undefined) {
      refuse(name, `holds the same key as "${holder}"; give each key set a key of its own`);
    }
    names.add(name);
    for (const mark of marks) holders.set(mark, name);
  }
  if (problems.length > 0) throw new VolumeError(problems);
}
