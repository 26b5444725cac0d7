/** Makes keys from key bytes. Each key passes a self-test before it is used. */

import type { Format } from '../signing/format.ts';
import { type Algorithm, agreesWithOracle, createMac, type Key, keyFingerprints } from '../signing/mac.ts';

export interface LoadedKey {
  readonly key: Key;
  /** Of its bytes, to find the same key under another name. */
  readonly fingerprints: readonly string[];
  /** Set if this is a root, from which the keys of tenants are derived. `key` then belongs to no tenant. */
  readonly root?: Root;
  /** Set if a file of `alsoVerify` holds the key. It is not retained when it is gone: removing it must end it. */
  readonly isListed?: true;
}

export interface Root {
  /** @throws {Error} if the derived key fails its self-test */
  derive(tenant: string): LoadedKey;
  /** The secret to give to a tenant's receivers. Absent unless the policy allows it. */
  readonly exportSecret?: (tenant: string) => string;
}

/**
 * The caller may overwrite `bytes` afterwards.
 * @returns undefined if two implementations of HMAC disagree on this key
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
    // With and without the prefix, it is the same secret.
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

/** Does not use the pool that Node shares among small buffers, so that the copy can be overwritten. */
function withPrefix(prefix: string, bytes: Uint8Array): Uint8Array {
  const prefixed = Buffer.allocUnsafeSlow(prefix.length + bytes.length);
  prefixed.write(prefix, 'latin1');
  prefixed.set(bytes, prefix.length);
  return prefixed;
}
