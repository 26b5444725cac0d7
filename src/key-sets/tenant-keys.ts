/**
 * The keys of tenants, each derived by HKDF-SHA-256 (RFC 5869) from one root, for one format and one tenant. The root
 * itself signs nothing.
 */

import { SignerError } from '../api/errors.ts';
import type { Format } from '../signing/format.ts';
import { type Algorithm, hkdf, type Key, keyFingerprints, keyId, tagBytes } from '../signing/mac.ts';
import { encodeKey } from './encode.ts';
import { type LoadedKey, makeKey, type Root } from './key.ts';
import { sealSecret, withBytes } from './secret.ts';

/** As long as what HKDF makes of a root first (RFC 5869 §2.2), so that no tenant can guess it from a key of its own. */
export const minRootBytes = 32;

/** Public, and the same everywhere, so that every replica derives the same keys (RFC 5869 §3.1). */
const salt = Buffer.from('sidecar-signer');

/** What a derived key is for. No name of a format or a tenant has NUL in it, so no two pairs give the same bytes. */
export function derivationInfo(format: string, tenant: string): Buffer {
  return Buffer.from(['sidecar-signer/v1', format, tenant].join('\0'));
}

/**
 * @param id default: that of the root's bytes
 * @param bytes are overwritten
 * @returns undefined when two implementations disagree on this machine
 */
export function loadRoot(
  id: string | undefined,
  bytes: Uint8Array,
  algorithm: Algorithm,
  format: Format,
  allowExport: boolean,
): LoadedKey | undefined {
  const ownId = id ?? keyId(bytes);
  const fingerprints = keyFingerprints(algorithm, bytes);
  const secret = sealSecret(bytes);

  /** Lends the derived bytes, as HKDF gives them. */
  const withDerived = <T>(tenant: string, use: (bytes: Buffer) => T): T | undefined => {
    const info = derivationInfo(format.name, tenant);
    const derived = withBytes(secret, (root) => hkdf(root, salt, info, tagBytes(algorithm)));
    if (derived === undefined) return undefined;
    try {
      return use(derived);
    } finally {
      derived.fill(0);
    }
  };
  const derive = (tenant: string) =>
    withDerived(tenant, (bytes) => {
      if (format.secretEncoding !== 'text') return makeKey(keyId(bytes), bytes, algorithm, format);
      const text = encodeKey(bytes, 'text');
      try {
        return makeKey(keyId(text), text, algorithm, format);
      } finally {
        text.fill(0);
      }
    });

  // The key of the tenant without a name, whom no request can mean, tests the derivation; and whoever signs with a
  // root by mistake signs with this.
  const nobody = derive('');
  if (nobody === undefined) return undefined;
  const root: Root = {
    derive: (tenant) => agreed(derive(tenant)),
    ...(allowExport && {
      exportSecret: (tenant) =>
        agreed(withDerived(tenant, (bytes) => encodeKey(bytes, format.secretEncoding ?? 'hex').toString())),
    }),
  };
  return { key: { id: ownId, mac: nobody.key.mac }, fingerprints, root };
}

function agreed<T>(derived: T | undefined): T {
  if (derived === undefined) throw new Error('two implementations of a derivation disagree on this machine');
  return derived;
}

/** The keys of one tenant, that of the primary root first. @throws {SignerError} `unprocessable` */
export type TenantKeys = (tenant: string) => readonly [Key, ...Key[]];

/** Keys that a key set keeps, for the tenants that were served last. Each takes 600 bytes, or 40 µs to derive again. */
export const maxKeptKeys = 2048;

/** @param isFree whether a derived key is no other key set's */
export function createTenantKeys(
  [primary, ...others]: readonly [Root, ...Root[]],
  isFree: (key: LoadedKey) => boolean,
): TenantKeys {
  const maxTenants = Math.floor(maxKeptKeys / (1 + others.length));
  /** In the order of their last use. */
  const kept = new Map<string, readonly [Key, ...Key[]]>();

  const derive = (tenant: string): readonly [Key, ...Key[]] => {
    const first = primary.derive(tenant);
    if (!isFree(first)) {
      throw new SignerError(
        'unprocessable',
        'the key of this tenant is loaded as the key of another key set, too; remove it there',
      );
    }
    const rest = others.map((root) => root.derive(tenant)).filter(isFree);
    return [first.key, ...rest.map(({ key }) => key)];
  };

  return (tenant) => {
    const keys = kept.get(tenant) ?? derive(tenant);
    kept.delete(tenant);
    kept.set(tenant, keys);
    for (const oldest of kept.keys()) {
      if (kept.size <= maxTenants) break;
      kept.delete(oldest);
    }
    return keys;
  };
}
