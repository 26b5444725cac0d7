/**
 * All key sets of one moment; immutable. A request uses one snapshot from beginning to end, so a rotation can neither
 * make it fail nor mix generations in it.
 */

import type { Clocks } from '../signing/clocks.ts';
import type { Key } from '../signing/mac.ts';
import { yieldTurns } from '../turns.ts';
import type { LoadedKey } from './key.ts';
import type { LoadedKeySet } from './load.ts';
import type { KeySettings } from './settings.ts';
import { createTenantKeys, type TenantKeys } from './tenant-keys.ts';

/** A replaced key, which still verifies for a while. */
export interface RetainedKey extends LoadedKey {
  /** On the monotonic clock: setting the system clock back must not let a key live longer. */
  readonly replacedAtMs: number;
}

/** One primary key, which signs, and others, which verify. Callers know the set by its name. */
export interface KeySet {
  readonly name: string;
  readonly settings: KeySettings;
  /** All keys that verify: the primary, the others of its JWK set or of `alsoVerify`, then the retained ones, newest first. */
  readonly keys: readonly [Key, ...Key[]];
  /** Set if the key set derives its keys. `keys` then holds the roots, of which only the ids may be used. */
  readonly tenantKeys?: TenantKeys;
  /** When this process first saw the primary as the primary. */
  readonly since: Date;
  readonly warnings: readonly string[];
  readonly notes: readonly string[];
  readonly loaded: LoadedKeySet['keys'];
  readonly retained: readonly RetainedKey[];
}

export interface Snapshot {
  /** Counts up from 1. */
  readonly generation: number;
  readonly keySets: ReadonlyMap<string, KeySet>;
  /** Of all loaded keys. */
  readonly fingerprints: ReadonlySet<string>;
  readonly loadedAt: Date;
}

/** Bounds the cost of a verification when keys are replaced faster than they expire. */
export const maxRetainedKeys = 64;

/** Makes the snapshot after `previous`. Replaced keys are retained for verification; removed key sets are not. */
export async function nextSnapshot(
  previous: Snapshot | undefined,
  loaded: readonly LoadedKeySet[],
  { now, monotonicMs }: Clocks,
): Promise<Snapshot> {
  const loadedAt = new Date(now());
  const atMs = monotonicMs();
  const pause = yieldTurns();
  const fingerprints = new Set(loaded.flatMap(({ keys }) => keys.flatMap((key) => key.fingerprints)));
  const keySets: KeySet[] = [];
  for (const { name, settings, keys, warnings, notes } of loaded) {
    await pause();
    const before = previous?.keySets.get(name);
    const isSame = before !== undefined && isSameKey(before.loaded[0], keys[0]);
    const retained = replacedKeys(before, settings, atMs).filter((key) => isFree(key, fingerprints));
    keySets.push({
      name,
      settings,
      warnings,
      notes,
      since: isSame ? before.since : loadedAt,
      ...verifying(keys, unexpired(retained, settings, atMs).slice(0, maxRetainedKeys), fingerprints),
    });
  }
  keySets.sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    generation: (previous?.generation ?? 0) + 1,
    keySets: new Map(keySets.map((keySet) => [keySet.name, keySet])),
    fingerprints,
    loadedAt,
  };
}

/** The same snapshot without expired keys. */
export function withoutExpired(snapshot: Snapshot, atMs: number): Snapshot {
  const keySets = [...snapshot.keySets].map(([name, keySet]) => {
    const { loaded, retained, settings } = keySet;
    const left = unexpired(retained, settings, atMs);
    return [name, { ...keySet, ...verifying(loaded, left, snapshot.fingerprints) }] as const;
  });
  return { ...snapshot, keySets: new Map(keySets) };
}

/** The replaced keys that verified in the first of two snapshots and not in the second, by key set. */
export function endedKeys(before: Snapshot, after: Snapshot): ReadonlyMap<string, readonly Key[]> {
  const ended = new Map<string, readonly Key[]>();
  for (const [name, { retained }] of before.keySets) {
    if (retained.length === 0) continue;
    const { loaded = [], retained: kept = [] } = after.keySets.get(name) ?? {};
    const verifying = new Set([...loaded, ...kept].flatMap(({ fingerprints }) => fingerprints));
    const gone = retained.filter((key) => isFree(key, verifying)).map(({ key }) => key);
    if (gone.length > 0) ended.set(name, gone);
  }
  return ended;
}

/** When the next retained key expires, on the monotonic clock. Infinity if no key is retained. */
export function firstExpiryMs({ keySets }: Snapshot): number {
  let first = Number.POSITIVE_INFINITY;
  for (const { retained, settings } of keySets.values()) {
    for (const key of retained) first = Math.min(first, expiryMs(key, settings));
  }
  return first;
}

/**
 * The keys that verified before and may be retained, newest first. Those that are still loaded are among them. A key of
 * `alsoVerify` is not: whoever removes it, because it has leaked, must end it with the same snapshot.
 */
function replacedKeys(
  before: KeySet | undefined,
  { encoding, format, source }: KeySettings,
  atMs: number,
): readonly RetainedKey[] {
  // A JWK set itself lists the keys that verify.
  if (before === undefined || encoding === 'jwks') return [];
  // In another format, an earlier signature could mean something else. A root has never signed.
  if (before.settings.format.name !== format.name) return [];
  if ('root' in before.settings.source !== 'root' in source) return [];
  const replaced = before.loaded.filter(({ isListed }) => !isListed);
  return [...replaced.map((key) => ({ ...key, replacedAtMs: atMs })), ...before.retained];
}

function verifying(
  loaded: KeySet['loaded'],
  retained: KeySet['retained'],
  fingerprints: Snapshot['fingerprints'],
): Pick<KeySet, 'keys' | 'tenantKeys' | 'loaded' | 'retained'> {
  const [primary, ...others] = loaded;
  const rest = [...others, ...retained];
  const keys = [primary.key, ...rest.map(({ key }) => key)] as const;
  if (primary.root === undefined) return { keys, loaded, retained };
  const roots = [primary.root, ...rest.flatMap(({ root }) => root ?? [])] as const;
  return { keys, tenantKeys: createTenantKeys(roots, (key) => isFree(key, fingerprints)), loaded, retained };
}

/** Whether the key is not loaded, in this key set or in another. */
function isFree(key: LoadedKey, fingerprints: Snapshot['fingerprints']): boolean {
  return !key.fingerprints.some((fingerprint) => fingerprints.has(fingerprint));
}

function unexpired(
  retained: readonly RetainedKey[],
  settings: KeySettings,
  atMs: number,
): readonly RetainedKey[] {
  return retained.filter((key) => atMs < expiryMs(key, settings));
}

/** Uses the current settings, so that a shorter time also ends keys that were replaced earlier. */
export function expiryMs({ replacedAtMs }: RetainedKey, { retainPreviousSeconds }: KeySettings): number {
  return replacedAtMs + retainPreviousSeconds * 1000;
}

function isSameKey(a: LoadedKey, b: LoadedKey): boolean {
  return (
    a.key.mac.algorithm === b.key.mac.algorithm &&
    a.fingerprints.some((fingerprint) => b.fingerprints.includes(fingerprint))
  );
}
