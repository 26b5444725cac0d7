/** Key bytes to a key that has passed its self-test, with the marks by which the same key is found under another name. */

import type { Format } from '../format.ts';
import { type Algorithm, agreesWithOracle, createMac, type Key, keyMarks } from '../mac.ts';

/** A key together with the marks of its bytes. */
export interface LoadedKey {
  readonly key: Key;
  readonly marks: readonly string[];
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
  const prefixed = withPrefix(keyPrefix, bytes);
  try {
    const mac = createMac(algorithm, prefixed);
    if (!agreesWithOracle(mac, prefixed)) return undefined;
    // The secret is one, with the prefix and without it.
    const bare = keyPrefix === '' ? [] : keyMarks(algorithm, bytes);
    return { key: { id, mac }, marks: [...new Set([...keyMarks(algorithm, prefixed), ...bare])] };
  } finally {
    prefixed.fill(0);
  }
}

/** A copy of its own, outside of the pool that Node shares among small buffers. */
function withPrefix(prefix: string, bytes: Uint8Array): Uint8Array {
  const prefixed = Buffer.allocUnsafeSlow(prefix.length + bytes.length);
  prefixed.write(prefix, 'latin1');
  prefixed.set(bytes, prefix.length);
  return prefixed;
}
