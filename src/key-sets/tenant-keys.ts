/**
 * Derives a key for each tenant from one root, by HKDF-SHA-256 (RFC 5869) over the format and the tenant's name. The root
 * itself never signs.
 */

import { SignerError } from '../api/errors.ts';
import type { Format } from '../signing/format.ts';
import { type Algorithm, hkdf, type Key, keyFingerprints, keyId, tagBytes } from '../signing/mac.ts';
import { type LoadedKey, makeKey, type Root } from './key.ts';
import { encodeKey } from './key-encoding.ts';
import { sealSecret, withBytes } from './secret.ts';

/** The length of HKDF's own key (RFC 5869 §2.2). A tenant could guess a shorter root from the derived key. */
export const minRootBytes = 32;

/** Public (RFC 5869 §3.1), and fixed for ever, so that all replicas derive the same keys. */
const salt = Buffer.from('sidecar-signer');

/** NUL separates the parts. No name contains NUL, so each pair of format and tenant gives other bytes. */
export function derivationInfo(format: string, tenant: string): Buffer {
  return Buffer.from(['sidecar-signer/v1', format, tenant].join('\0'));
}

/**
 * @param id default: that of the root's bytes
 * @param bytes are overwritten
 * @returns undefined if two implementations disagree on this machine
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

  /** Lends the derived bytes; they are overwritten afterwards. */
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

  // Derive for the empty name, which no request can use. This tests the derivation, and gives the root a MAC that
  // belongs to no tenant.
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

/** The keys of one tenant, with that of the primary root first. @throws {SignerError} `unprocessable` */
export type TenantKeys = (tenant: string) => readonly [Key, ...Key[]];

/** How many derived keys a key set keeps. Each takes 600 bytes, and 40 µs to derive again. */
export const maxKeptKeys = 2048;

/** @param isFree whether no other key set holds a derived key */
export function createTenantKeys(
  [primary, ...others]: readonly [Root, ...Root[]],
  isFree: (key: LoadedKey) => boolean,
): TenantKeys {
  const maxTenants = Math.floor(maxKeptKeys / (1 + others.length));
  /** The least recently used first. */
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
