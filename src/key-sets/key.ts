/** Key bytes to a key that has passed its self-test, with the fingerprints by which the same key is found under another name. */

import type { Format } from '../signing/format.ts';
import { type Algorithm, agreesWithOracle, createMac, type Key, keyFingerprints } from '../signing/mac.ts';

/** A key together with the fingerprints of its bytes. */
export interface LoadedKey {
  readonly key: Key;
  readonly fingerprints: readonly string[];
  /** Where this is the root from which the keys of tenants are derived: how. The key itself is then nobody's. */
  readonly root?: Root;
}

/** Derives the keys of tenants. */
export interface Root {
  /** @throws {Error} when the derived key fails its self-test */
  derive(tenant: string): LoadedKey;
  /** The tenant's secret as its receivers are given it. Absent unless the policy allows it. */
  readonly exportSecret?: (tenant: string) => string;
}

/**
 * The caller may overwrite `bytes` afterwards.
 * @returns undefined when two implementations of HMAC disagree on this key
 */
export function makeKey(
  id: string,
  bytes: Uint8Array,
  algorithm: Algorithm,
  { keyPrefix = '' }: Format,
): LoadedKey | undefined {
  if (keyPrefix === '') return testedKey(id, bytes, algorithm);
  const prefixed = withPrefix(keyPrefix, bytes);
  try {
    const loaded = testedKey(id, prefixed, algorithm);
    // The secret is one, with the prefix and without it.
    return (
      loaded && {
        ...loaded,
        fingerprints: [...new Set([...loaded.fingerprints, ...keyFingerprints(algorithm, bytes)])],
      }
    );
  } finally {
    prefixed.fill(0);
  }
}

function testedKey(id: string, bytes: Uint8Array, algorithm: Algorithm): LoadedKey | undefined {
  const mac = createMac(algorithm, bytes);
  return agreesWithOracle(mac, bytes)
    ? { key: { id, mac }, fingerprints: keyFingerprints(algorithm, bytes) }
    : undefined;
}

/** A copy of its own, outside of the pool that Node shares among small buffers. */
function withPrefix(prefix: string, bytes: Uint8Array): Uint8Array {
  const prefixed = Buffer.allocUnsafeSlow(prefix.length + bytes.length);
  prefixed.write(prefix, 'latin1');
  prefixed.set(bytes, prefix.length);
  return prefixed;
}
