/** Loads all key sets, or reports every reason why they cannot be loaded. */

import { closest, distance } from 'fastest-levenshtein';
import { escapeControls } from '../bytes/text.ts';
import { keyId, processKeyId } from '../signing/mac.ts';
import { inTurns } from '../turns.ts';
import { type Jwk, parseJwkSet } from './jwk-set.ts';
import { type LoadedKey, makeKey } from './key.ts';
import { decodeKey } from './key-encoding.ts';
import { maxProblems, moreProblems, ok, type Result, refused } from './result.ts';
import { type MountedSecret, type Secret, withBytes } from './secret.ts';
import { type Configuration, fileOf, isKeySetName, type KeySettings, keySetNameRule } from './settings.ts';
import { loadRoot, minRootBytes } from './tenant-keys.ts';
import { formatWarnings, isUndecoded, undecodedKey, undecodedText, withoutPrefix } from './whsec.ts';

export interface LoadedKeySet {
  readonly name: string;
  readonly settings: KeySettings;
  /** The primary first. */
  readonly keys: readonly [LoadedKey, ...LoadedKey[]];
  /** Notes about keys that are used in spite of them. Each completes the sentence "this key set …". */
  readonly warnings: readonly string[];
}

/** Where secrets are found. */
export interface Secrets {
  /** By name. Two files of one name are an error if a key set uses the name. */
  readonly files: ReadonlyMap<string, readonly MountedSecret[]>;
  /** Names of other files, to suggest where one is missing. */
  readonly others: readonly string[];
  readonly variable: (name: string) => Secret | undefined;
}

/** The shortest key without `allowWeakKey`. New keys should have 32 bytes (NIST SP 800-107r1 §5.3.4). */
export const minKeyBytes = 16;

export function loadKeySets(
  secrets: Secrets,
  configuration: Configuration,
): Promise<Result<readonly LoadedKeySet[]>> {
  return inTurns(loadInSteps(secrets, configuration));
}

type Steps<T> = Generator<void, T>;

/** Yields between keys. A directory may hold 65,536 of them. */
function* loadInSteps(
  secrets: Secrets,
  configuration: Configuration,
): Steps<Result<readonly LoadedKeySet[]>> {
  const keySets: LoadedKeySet[] = [];
  const problems: string[] = [];
  const settingsByName = configuration.keySets([...secrets.files.keys()]);
  const placeOf = createPlaces(secrets);
  const refuse = (name: string, what: string) => {
    const place = placeOf(settingsByName.get(name));
    problems.push(`${escapeControls(JSON.stringify(name))}${place} ${what}`);
  };
  for (const [name, settings] of settingsByName) {
    yield;
    const loaded = yield* loadKeySet(name, settings, secrets);
    if (loaded.ok) keySets.push(loaded.value);
    else for (const what of loaded.problems) refuse(name, what);
    if (problems.length >= maxProblems) return refused(...problems, moreProblems);
  }
  yield* refuseSharedKeys(keySets, refuse);
  return problems.length > 0 ? refused(...problems) : ok(keySets);
}

/** Names the directory of a file if there are several directories. */
function createPlaces({ files }: Secrets): (settings: KeySettings | undefined) => string {
  const directories = new Set([...files.values()].flat().map(({ directory }) => directory));
  return (settings) => {
    const file = settings && fileOf(settings.source);
    if (directories.size < 2 || file === undefined) return '';
    const mounted = files.get(file) ?? [];
    return mounted.length === 0 ? '' : ` in ${mounted.map(({ directory }) => directory).join(' and ')}`;
  };
}

/** Refuses a key that appears twice, in one key set or in two. */
function* refuseSharedKeys(
  keySets: readonly LoadedKeySet[],
  refuse: (name: string, what: string) => void,
): Steps<void> {
  const holders = new Map<string, string>();
  for (const { name, keys } of keySets) {
    yield;
    for (const { fingerprints } of keys) {
      const holder = fingerprints
        .map((fingerprint) => holders.get(fingerprint))
        .find((other) => other !== undefined);
      if (holder === name) refuse(name, 'holds the same key twice; remove one of them');
      else if (holder !== undefined) {
        refuse(name, `holds the same key as "${holder}"; give each key set a key of its own`);
      }
      for (const fingerprint of fingerprints) holders.set(fingerprint, name);
    }
  }
}

function* loadKeySet(name: string, settings: KeySettings, secrets: Secrets): Steps<Result<LoadedKeySet>> {
  if (!isKeySetName(name)) {
    return refused(
      `is not a usable name; use ${keySetNameRule}, or name the file in a configuration ("file")`,
    );
  }
  const secret = findSecret(name, settings, secrets);
  if (!secret.ok) return secret;
  const parsed = withBytes(secret.value, (content) => parseContent(content, settings));
  if (!parsed.ok) return parsed;
  const problems: string[] = [];
  const keys: LoadedKey[] = [];
  const warnings = new Set([...parsed.value.warnings, ...(settings.format.warnings ?? [])]);
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
  return ok({ name, settings, keys: [primary, ...others], warnings: [...warnings] });
}

function findSecret(
  name: string,
  { source }: KeySettings,
  { files, others, variable }: Secrets,
): Result<Secret> {
  if ('env' in source) {
    const secret = variable(source.env);
    if (secret !== undefined) return ok(secret);
    return refused(
      'needs a variable that is not set ("env"); set it and restart the signer, or correct its name',
    );
  }
  const [field, file] = 'root' in source ? ['deriveFrom', source.root] : ['file', source.file];
  const [mounted, another] = files.get(file) ?? [];
  if (another !== undefined) return refused('is the name of two files; rename one of them');
  if (mounted !== undefined) return ok(mounted.secret);
  // Do not repeat the name in the configuration: somebody may have pasted the key itself there.
  const what = file === name ? 'has no file of its name' : `needs a file ("${field}") that is not there`;
  const names = [...files.keys(), ...others];
  const near = names.length > 0 ? closest(file, names) : undefined;
  const hint =
    near !== undefined && distance(near, file) <= 2
      ? `; did you mean ${escapeControls(JSON.stringify(near))}?`
      : '';
  return refused(`${what} in the mounted secrets${hint}`);
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
