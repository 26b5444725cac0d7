/** Holds the current snapshot. Each source (a mounted directory) is loaded on its own; all of them make a snapshot. */

import type { Reading } from '../secret-volume/index.ts';
import type { LoadedKey } from './key-file.ts';
import { loadKeys } from './load.ts';
import type { KeySettings } from './settings.ts';
import { nextSnapshot, type Snapshot } from './snapshot.ts';

export interface KeyStore {
  /** Undefined until every source has been loaded, and again once the keys are dropped. */
  readonly current: Snapshot | undefined;
  /**
   * Takes a reading of one source into the next snapshot, or rejects it as a whole.
   * @throws {VolumeError} with every problem; the current snapshot stays
   */
  load(source: string, reading: Reading): Promise<void>;
  /** Lets go of all keys. */
  drop(): void;
}

/** @param sources the names of the directories that will be loaded */
export function createKeyStore(
  sources: readonly string[],
  settingsFor: (name: string) => KeySettings,
  now: () => number = Date.now,
): KeyStore {
  let loaded: ReadonlyMap<string, readonly LoadedKey[]> = new Map();
  let current: Snapshot | undefined;
  let expiry: ReturnType<typeof setTimeout> | undefined;

  const publish = (next: Snapshot | undefined) => {
    current = next;
    clearTimeout(expiry);
    const ends = [...(next?.keySets.values() ?? [])].flatMap(({ retained }) =>
      retained.map(({ until }) => until),
    );
    if (ends.length === 0) return;
    // A retained key leaves the memory when its time is up, not only when the next reading comes.
    const wait = Math.min(Math.max(Math.min(...ends) - now(), 0) + 1, 2 ** 31 - 1);
    expiry = setTimeout(
      () => publish(nextSnapshot(current, [...loaded.values()].flat(), new Date(now()))),
      wait,
    );
    expiry.unref();
  };

  return {
    get current() {
      return current;
    },
    load: async (source, reading) => {
      const keys = await loadKeys(reading, settingsFor);
      const next = new Map(loaded).set(source, keys);
      const snapshot = nextSnapshot(current, [...next.values()].flat(), new Date(now()));
      loaded = next;
      if (sources.every((each) => next.has(each))) publish(snapshot);
    },
    drop: () => {
      loaded = new Map();
      publish(undefined);
    },
  };
}
