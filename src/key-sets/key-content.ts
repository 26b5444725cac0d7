/** Makes keys from the content of a file or a variable, or says everything that is wrong with it. */

import { keyId, processKeyId } from '../signing/mac.ts';
import { type Jwk, parseJwkSet } from './jwk-set.ts';
import { type LoadedKey, makeKey } from './key.ts';
import { decodeKey } from './key-encoding.ts';
import { ok, type Result, refused } from './result.ts';
import { type Secret, withBytes } from './secret.ts';
import type { KeySettings } from './settings.ts';
import { loadRoot, minRootBytes } from './tenant-keys.ts';
import { formatWarnings, isUndecoded, undecodedKey, undecodedText, withoutPrefix } from './whsec.ts';

/** The shortest key without `allowWeakKey`. New keys should have 32 bytes (NIST SP 800-107r1 §5.3.4). */
export const minKeyBytes = 16;

export interface LoadedContent {
  /** The primary first. */
  readonly keys: readonly [LoadedKey, ...LoadedKey[]];
  /** What is used in spite of them. Each completes the sentence "this key set …". */
  readonly warnings: readonly string[];
}

/** Yields between keys. Each problem completes the sentence "this key set …". */
export function* loadContent(secret: Secret, settings: KeySettings): Generator<void, Result<LoadedContent>> {
  const parsed = withBytes(secret, (content) => parseContent(content, settings));
  if (!parsed.ok) return parsed;
  const problems: string[] = [];
  const keys: LoadedKey[] = [];
  const warnings = new Set(parsed.value.warnings);
  for (const { id, place, bytes, algorithm } of parsed.value.keys) {
    yield;
    const loaded = loadKey(id, bytes, algorithm, settings);
    if (loaded.ok) {
      keys.push(loaded.value);
      for (const warning of loaded.value.warnings) warnings.add(warning);
    } else
      for (const what of loaded.problems) problems.push(place === undefined ? what : `${place}: ${what}`);
    bytes.fill(0);
  }
  const [primary, ...others] = keys;
  if (problems.length > 0 || primary === undefined) return refused(...problems);
  return ok({ keys: [primary, ...others], warnings: [...warnings] });
}

/** A key as it is written, in memory of its own. A JWK set gives it an id and a place, and may give it an algorithm. */
type ParsedKey = Omit<Jwk, 'id' | 'place'> & { readonly id?: string; readonly place?: string };

interface Parsed {
  readonly keys: readonly ParsedKey[];
  readonly warnings: readonly string[];
}

function parseContent(content: Buffer, settings: KeySettings): Result<Parsed> {
  const { encoding, source } = settings;
  if (content.length === 0) {
    return refused('is empty; write a key of at least 32 random bytes into it');
  }
  const warnings: string[] = [];
  if ('env' in source) {
    // The runtime replaces bytes that are not UTF-8 with this character.
    if (content.includes('\ufffd')) {
      return refused('is a variable that is not UTF-8; write the key as hex or base64');
    }
    warnings.push('comes from the environment, so it is not reloaded; restart the signer to change it');
  }
  if (encoding !== 'whsec' && isUndecoded(content, settings)) {
    return refused(undecodedText);
  }
  warnings.push(...formatWarnings(content, settings));
  if (encoding === 'jwks') {
    const set = parseJwkSet(content);
    return set.ok ? ok({ keys: set.value.keys, warnings: [...warnings, ...set.value.warnings] }) : set;
  }
  const decoded = decodeKey(content, encoding);
  if (!decoded.ok) return decoded;
  // What `decodeKey` returns may be a part of `content`, which is overwritten when it is given back.
  const shared = decoded.value.bytes;
  const bytes = shared.buffer === content.buffer ? new Uint8Array(shared) : shared;
  return ok({ keys: [{ bytes, algorithm: undefined }], warnings: [...warnings, ...decoded.value.warnings] });
}

function loadKey(
  id: string | undefined,
  bytes: Uint8Array,
  own: ParsedKey['algorithm'],
  settings: KeySettings,
): Result<LoadedKey & { readonly warnings: readonly string[] }> {
  const { source, format, algorithm: configured, allowUndecoded, allowWeakKey, policy } = settings;
  const isRoot = 'root' in source;
  const algorithm = configured ?? own ?? format.algorithms[0];
  if (own !== undefined && own !== algorithm) {
    return refused(`is a key for ${own}, but the configuration says "algorithm: ${algorithm}"`);
  }
  if (!format.algorithms.includes(algorithm)) {
    return refused(`is a key for ${algorithm}, which the format ${format.name} does not use`);
  }
  if (isUndecoded(bytes, settings)) {
    return refused(undecodedKey);
  }
  if (bytes.length === 0) return refused('is empty; generate a random key (sidecar-signer keys new)');
  const atLeast = isRoot ? minRootBytes : Math.max(minKeyBytes, format.minKeyBytes?.(algorithm) ?? 0);
  const weak = weaknesses(allowUndecoded ? withoutPrefix(bytes) : bytes, atLeast);
  if (weak.length > 0 && !allowWeakKey) return refused(...weak);
  // If the id came from the key alone, anyone could test guesses of a weak key against it.
  const ownId = () => (weak.length > 0 ? processKeyId(bytes) : keyId(bytes));
  const loaded = isRoot
    ? loadRoot(id, bytes, algorithm, format, policy.allowExport ?? false)
    : makeKey(id ?? ownId(), bytes, algorithm, format);
  if (loaded === undefined) {
    return refused('failed its self-test: two implementations of HMAC or HKDF disagree on this machine');
  }
  const warnings = weak.length > 0 ? ['holds a weak key, accepted because of allowWeakKey; replace it'] : [];
  return ok({ ...loaded, warnings });
}

function weaknesses(bytes: Uint8Array, atLeast: number): string[] {
  const problems: string[] = [];
  if (bytes.length < atLeast) {
    const length = bytes.length === 1 ? '1 byte' : `${bytes.length} bytes`;
    const better = atLeast < 32 ? ', better 32' : '';
    problems.push(`is ${length} long; a key needs at least ${atLeast}${better}`);
  }
  if (bytes.length > 1 && bytes.every((byte) => byte === bytes[0])) {
    problems.push('is one byte repeated; generate a random key (sidecar-signer keys new)');
  } else if (bytes.every((byte) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d))) {
    problems.push('is nothing but white space; generate a random key (sidecar-signer keys new)');
  }
  return problems;
}
