/**
 * All key sets of one moment, immutable. A request takes one snapshot and uses it from beginning to end, so a
 * rotation can neither fail it nor mix generations in it.
 */

import type { Key } from '../mac.ts';
import { VolumeError, type VolumeProblem } from '../secret-volume/index.ts';
import type { LoadedKey, LoadedKeySet } from './load.ts';
import type { KeySettings } from './settings.ts';

/** A key that signs no more but still verifies. */
export interface RetainedKey extends LoadedKey {
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** What a caller names: exactly one primary key, which signs, and others that verify. */
export interface KeySet {
  readonly name: string;
  readonly settings: KeySettings;
  /** All that verify: the primary, the others of its JWK set, and the retained ones, newest first. */
  readonly keys: readonly [Key, ...Key[]];
  /** When the primary became the primary, as this process saw it. */
  readonly since: Date;
  readonly loaded: LoadedKeySet['keys'];
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
 * @throws {VolumeError} when one key stands under two names
 */
export function nextSnapshot(
  previous: Snapshot | undefined,
  loaded: readonly LoadedKeySet[],
  now: Date,
): Snapshot {
  refuseSharedKeys(loaded);
  const keySets = loaded.map((keySet) => nextKeySet(previous?.keySets.get(keySet.name), keySet, now));
  keySets.sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    generation: (previous?.generation ?? 0) + 1,
    keySets: new Map(keySets.map((keySet) => [keySet.name, keySet])),
    loadedAt: now,
  };
}

/** The same snapshot without the keys whose time is up. */
export function withoutExpired(snapshot: Snapshot, now: Date): Snapshot {
  const keySets = [...snapshot.keySets.values()].map((keySet) => {
    const { loaded, retained } = keySet;
    return { ...keySet, ...verifying(loaded, unexpired(retained, now)) };
  });
  return { ...snapshot, keySets: new Map(keySets.map((keySet) => [keySet.name, keySet])) };
}

function nextKeySet(previous: KeySet | undefined, { name, settings, keys }: LoadedKeySet, now: Date): KeySet {
  const held = previous === undefined ? [] : [...previous.loaded, ...previous.retained];
  // A key that was there before is the same key, with the id that this process gave it.
  const same = (loaded: LoadedKey) =>
    held.find((old) => old.key.mac.algorithm === loaded.key.mac.algorithm && sharesMark(old, loaded));
  const [first, ...rest] = keys;
  const primary = { ...first, key: same(first)?.key ?? first.key };
  const loaded = [primary, ...rest] as const;
  const until = now.getTime() + settings.retainPreviousSeconds * 1000;
  // Whoever keeps a JWK set says there which keys verify; a plain file cannot.
  const replaced =
    previous === undefined || settings.encoding === 'jwks'
      ? []
      : [...previous.loaded.map((old) => ({ ...old, until })), ...unexpired(previous.retained, now)];
  const retained = replaced.filter((old) => !loaded.some((key) => sharesMark(old, key)));
  const unchanged = previous !== undefined && previous.keys[0] === primary.key;
  return {
    name,
    settings,
    since: unchanged ? previous.since : now,
    ...verifying(loaded, retained.slice(0, maxRetainedKeys)),
  };
}

function verifying(
  loaded: KeySet['loaded'],
  retained: KeySet['retained'],
): Pick<KeySet, 'keys' | 'loaded' | 'retained'> {
  const [primary, ...others] = loaded;
  return { keys: [primary.key, ...[...others, ...retained].map(({ key }) => key)], loaded, retained };
}

function unexpired(retained: readonly RetainedKey[], now: Date): readonly RetainedKey[] {
  return retained.filter(({ until }) => now.getTime() < until);
}

function sharesMark(a: LoadedKey, b: LoadedKey): boolean {
  return a.marks.some((mark) => b.marks.includes(mark));
}

/** A key has one name, and one place in it (compared as HMAC compares keys, by their marks). */
function refuseSharedKeys(loaded: readonly LoadedKeySet[]): void {
  const holders = new Map<string, string>();
  const problems: VolumeProblem[] = [];
  for (const { name, keys } of loaded) {
    for (const { marks } of keys) {
      const holder = marks.map((mark) => holders.get(mark)).find((other) => other !== undefined);
      if (holder !== undefined) {
        const what =
          holder === name
            ? 'holds the same key twice; remove one of them'
            : `holds the same key as "${holder}"; give each key set a key of its own`;
        problems.push({ code: 'refused', name, message: `"${name}" ${what}` });
      }
      for (const mark of marks) holders.set(mark, name);
    }
  }
  if (problems.length > 0) throw new VolumeError(problems);
}
