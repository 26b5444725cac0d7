/** The secrets of one moment to loaded key sets: all of them, or every reason why not. */

import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { closest, distance } from 'fastest-levenshtein';
import { agreesWithOracle, createMac, type Key, keyId, keyMarks } from '../mac.ts';
import { VolumeError, type VolumeProblem } from '../secret-volume/index.ts';
import { decodeKey } from './decode.ts';
import { type Jwk, parseJwkSet } from './jwk-set.ts';
import { type Secret, withBytes } from './secret.ts';
import type { Configuration, KeySettings } from './settings.ts';

/** A key together with the marks by which the same key is found under another name. */
export interface LoadedKey {
  readonly key: Key;
  readonly marks: readonly string[];
  /** Let in by `allowWeakKey` alone. */
  readonly weak: boolean;
}

/** The keys of one key set as they are now, the primary first. */
export interface LoadedKeySet {
  readonly name: string;
  readonly settings: KeySettings;
  readonly keys: readonly [LoadedKey, ...LoadedKey[]];
}

/** Where secrets are found. */
export interface Secrets {
  readonly files: ReadonlyMap<string, Secret>;
  readonly variable: (name: string) => Secret | undefined;
}

/** The shortest key that is accepted without `allowWeakKey`. New keys should have 32 bytes (NIST SP 800-107r1 §5.3.4). */
export const minKeyBytes = 16;

/** Requests are answered in between when there are many keys. */
const yieldEachMs = 2;

/** @throws {VolumeError} naming every key set that is refused, and why */
export async function loadKeySets(
  { files, variable }: Secrets,
  configuration: Configuration,
): Promise<readonly LoadedKeySet[]> {
  const keySets: LoadedKeySet[] = [];
  const problems: VolumeProblem[] = [];
  let started = performance.now();
  for (const [name, settings] of configuration([...files.keys()])) {
    if (performance.now() - started > yieldEachMs) {
      await setImmediate();
      started = performance.now();
    }
    const { source } = settings;
    const secret = 'file' in source ? files.get(source.file) : variable(source.env);
    const loaded =
      secret === undefined ? [missing(settings, [...files.keys()])] : loadKeySet(name, secret, settings);
    if ('settings' in loaded) keySets.push(loaded);
    else {
      for (const what of loaded) {
        problems.push({ code: 'refused', name, message: `${JSON.stringify(name)} ${what}` });
      }
    }
  }
  if (problems.length > 0) throw new VolumeError(problems);
  return keySets;
}

/** @returns the key set, or everything that is wrong with it */
function loadKeySet(name: string, secret: Secret, settings: KeySettings): LoadedKeySet | readonly string[] {
  return withBytes(secret, (content) => {
    const parsed = parseContent(content, settings);
    if ('problems' in parsed) return parsed.problems;
    const problems: string[] = [];
    const keys: LoadedKey[] = [];
    for (const each of parsed.keys) {
      const loaded = loadKey(each, settings);
      if ('key' in loaded) keys.push(loaded);
      else for (const what of loaded) problems.push(each.id === undefined ? what : `key ${each.id} ${what}`);
      each.bytes.fill(0);
    }
    const [primary, ...others] = keys;
    if (problems.length > 0 || primary === undefined) return problems;
    return { name, settings, keys: [primary, ...others] };
  });
}

type ParsedKey = Omit<Jwk, 'id'> & { readonly id: string | undefined };

function parseContent(
  content: Uint8Array,
  { encoding }: KeySettings,
): { readonly keys: readonly ParsedKey[] } | { readonly problems: readonly string[] } {
  if (content.length === 0) {
    return { problems: ['is empty; write a key of at least 32 random bytes into it'] };
  }
  if (encoding === 'jwks') return parseJwkSet(content);
  const decoded = decodeKey(content, encoding);
  if ('problem' in decoded) return { problems: [decoded.problem] };
  return { keys: [{ id: undefined, bytes: decoded.bytes, algorithm: undefined }] };
}

function loadKey({ id, bytes, algorithm: own }: ParsedKey, settings: KeySettings): LoadedKey | string[] {
  const { format, algorithm = own ?? format.algorithms[0] ?? 'HS256', allowWeakKey } = settings;
  if (own !== undefined && own !== algorithm) {
    return [`is a key for ${own}, but the configuration says "algorithm: ${algorithm}"`];
  }
  if (!format.algorithms.includes(algorithm)) {
    return [`is a key for ${algorithm}, which the format ${format.name} does not use`];
  }
  if (bytes.length === 0) return ['is empty; generate a random key (openssl rand -hex 32)'];
  const atLeast = Math.max(minKeyBytes, format.minKeyBytes(algorithm));
  const weak = weaknesses(bytes, atLeast);
  if (weak.length > 0 && !allowWeakKey) return weak;
  const mac = createMac(algorithm, bytes);
  if (!agreesWithOracle(mac, bytes)) {
    return ['failed its self-test: two HMAC implementations disagree on this machine'];
  }
  // A weak key could be guessed from an id derived from it, so it gets one that says nothing.
  const ownId = weak.length > 0 ? randomBytes(8).toString('hex') : keyId(bytes);
  return { key: { id: id ?? ownId, mac }, marks: keyMarks(algorithm, bytes), weak: weak.length > 0 };
}

function weaknesses(bytes: Uint8Array, atLeast: number): string[] {
  const problems: string[] = [];
  if (bytes.length < atLeast) {
    problems.push(
      `is ${bytes.length} bytes long; a key needs at least ${atLeast}, better ${Math.max(32, atLeast)}`,
    );
  }
  if (bytes.length > 1 && bytes.every((byte) => byte === bytes[0])) {
    problems.push('is one byte repeated; generate a random key (openssl rand -hex 32)');
  }
  return problems;
}

/** What to do about a secret that is not there. */
function missing({ source }: KeySettings, files: readonly string[]): string {
  if ('env' in source) {
    return `needs the environment variable ${source.env}, which is not set; set it and restart the signer`;
  }
  const near = files.length > 0 ? closest(source.file, files) : undefined;
  const hint = near !== undefined && distance(near, source.file) <= 2 ? `; did you mean "${near}"?` : '';
  return `needs the file "${source.file}", which is not in the mounted secrets${hint}`;
}
