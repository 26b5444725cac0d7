/** The secrets of one moment to loaded key sets: all of them, or every reason why not. */

import { closest, distance } from 'fastest-levenshtein';
import { VolumeError, type VolumeProblem } from '../secret-volume/index.ts';
import { keyId, processKeyId } from '../signing/mac.ts';
import { yieldTurns } from '../turns.ts';
import { decodeKey, isWhsecText } from './decode.ts';
import { type Jwk, parseJwkSet } from './jwk-set.ts';
import { type LoadedKey, makeKey } from './key.ts';
import { type Secret, withBytes } from './secret.ts';
import { type Configuration, isKeySetName, type KeySettings, keySetNameRule } from './settings.ts';
import { loadRoot, minRootBytes } from './tenant-keys.ts';

/** The keys of one key set as they are now, the primary first. */
export interface LoadedKeySet {
  readonly name: string;
  readonly settings: KeySettings;
  readonly keys: readonly [LoadedKey, ...LoadedKey[]];
  /** What a person should know of keys that are in use nevertheless; each completes the sentence "this key set …". */
  readonly warnings: readonly string[];
}

/** A secret file, and the mounted directory that it is in. */
export interface MountedSecret {
  readonly directory: string;
  readonly secret: Secret;
}

/** Where secrets are found. */
export interface Secrets {
  /** By name. More than one of a name is a mistake where the name is used. */
  readonly files: ReadonlyMap<string, readonly MountedSecret[]>;
  readonly variable: (name: string) => Secret | undefined;
}

/** The shortest key that is accepted without `allowWeakKey`. New keys should have 32 bytes (NIST SP 800-107r1 §5.3.4). */
export const minKeyBytes = 16;

/** @throws {VolumeError} naming every key set that is refused, and why */
export async function loadKeySets(
  secrets: Secrets,
  configuration: Configuration,
): Promise<readonly LoadedKeySet[]> {
  const keySets: LoadedKeySet[] = [];
  const problems: VolumeProblem[] = [];
  const settingsByName = configuration([...secrets.files.keys()]);
  const placeOf = createPlaces(secrets);
  const refuse = (name: string, what: string) => {
    const place = placeOf(settingsByName.get(name));
    problems.push({ code: 'refused', name, message: `${JSON.stringify(name)}${place} ${what}` });
  };
  const pause = yieldTurns();
  for (const [name, settings] of settingsByName) {
    await pause();
    const loaded = loadKeySet(name, settings, secrets);
    if ('settings' in loaded) keySets.push(loaded);
    else for (const what of loaded) refuse(name, what);
  }
  await refuseSharedKeys(keySets, refuse, pause);
  if (problems.length > 0) throw new VolumeError(problems);
  return keySets;
}

/** Says of a file in which of several directories it is. */
function createPlaces({ files }: Secrets): (settings: KeySettings | undefined) => string {
  const directories = new Set([...files.values()].flat().map(({ directory }) => directory));
  return (settings) => {
    if (directories.size < 2 || settings === undefined || 'env' in settings.source) return '';
    const { source } = settings;
    const mounted = files.get('root' in source ? source.root : source.file) ?? [];
    return mounted.length === 0 ? '' : ` in ${mounted.map(({ directory }) => directory).join(' and ')}`;
  };
}

/** A key has one name, and one place in it (compared as HMAC compares keys, by their fingerprints). */
async function refuseSharedKeys(
  keySets: readonly LoadedKeySet[],
  refuse: (name: string, what: string) => void,
  pause: () => Promise<void>,
): Promise<void> {
  const holders = new Map<string, string>();
  for (const { name, keys } of keySets) {
    await pause();
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

/** @returns the key set, or everything that is wrong with it */
function loadKeySet(name: string, settings: KeySettings, secrets: Secrets): LoadedKeySet | readonly string[] {
  if (!isKeySetName(name)) return [`is not a usable name; use ${keySetNameRule}`];
  const secret = findSecret(name, settings, secrets);
  if (typeof secret === 'string') return [secret];
  return withBytes(secret, (content) => {
    const parsed = parseContent(content, settings);
    if ('problems' in parsed) return parsed.problems;
    const problems: string[] = [];
    const keys: LoadedKey[] = [];
    const warnings = new Set(parsed.warnings);
    for (const { id, bytes, algorithm } of parsed.keys) {
      const loaded = loadKey(id, bytes, algorithm, settings);
      if ('key' in loaded) {
        keys.push(loaded);
        for (const warning of loaded.warnings) warnings.add(warning);
      } else for (const what of loaded) problems.push(id === undefined ? what : `key ${id} ${what}`);
      bytes.fill(0);
    }
    const [primary, ...others] = keys;
    if (problems.length > 0 || primary === undefined) return problems;
    return { name, settings, keys: [primary, ...others], warnings: [...warnings] };
  });
}

/** @returns the secret, or why it cannot be had */
function findSecret(name: string, { source }: KeySettings, { files, variable }: Secrets): Secret | string {
  if ('env' in source) {
    return (
      variable(source.env) ??
      'needs a variable that is not set ("env"); set it and restart the signer, or correct its name'
    );
  }
  const [field, file] = 'root' in source ? ['deriveFrom', source.root] : ['file', source.file];
  const [mounted, another] = files.get(file) ?? [];
  if (another !== undefined) return 'is the name of two files; rename one of them';
  if (mounted !== undefined) return mounted.secret;
  // The name that was asked for is not repeated: somebody may have put the key itself there.
  const what = file === name ? 'has no file of its name' : `needs a file ("${field}") that is not there`;
  const near = files.size > 0 ? closest(file, [...files.keys()]) : undefined;
  const hint = near !== undefined && distance(near, file) <= 2 ? `; did you mean "${near}"?` : '';
  return `${what} in the mounted secrets${hint}`;
}

/** A key as it is written: a JWK set gives it an id, and may give it an algorithm. */
type ParsedKey = Omit<Jwk, 'id'> & { readonly id: string | undefined };

type Parsed =
  | { readonly keys: readonly ParsedKey[]; readonly warnings: readonly string[] }
  | { readonly problems: readonly string[] };

function parseContent(content: Buffer, settings: KeySettings): Parsed {
  const { encoding, source } = settings;
  if (content.length === 0) {
    return { problems: ['is empty; write a key of at least 32 random bytes into it'] };
  }
  const warnings: string[] = [];
  if ('env' in source) {
    // The runtime has put this character in the place of bytes that are not UTF-8.
    if (content.includes('\ufffd')) {
      return { problems: ['is a variable that is not UTF-8; write the key as hex or base64'] };
    }
    warnings.push('comes from the environment, so it is not reloaded; restart the signer to change it');
  }
  if (encoding !== 'whsec' && isUndecoded(content, settings)) {
    return { problems: [`${undecoded}; set "encoding: whsec", which decodes it`] };
  }
  if (encoding === 'jwks') {
    const set = parseJwkSet(content);
    return 'problems' in set ? set : { ...set, warnings };
  }
  const decoded = decodeKey(content, encoding);
  if ('problem' in decoded) return { problems: [decoded.problem] };
  const { bytes, warning } = decoded;
  if (warning !== undefined) warnings.push(warning);
  return { keys: [{ id: undefined, bytes, algorithm: undefined }], warnings };
}

function loadKey(
  id: string | undefined,
  bytes: Uint8Array,
  own: ParsedKey['algorithm'],
  settings: KeySettings,
): (LoadedKey & { readonly warnings: readonly string[] }) | readonly string[] {
  const { source, format, algorithm: configured, allowWeakKey, policy } = settings;
  const isRoot = 'root' in source;
  const algorithm = configured ?? own ?? format.algorithms[0];
  if (own !== undefined && own !== algorithm) {
    return [`is a key for ${own}, but the configuration says "algorithm: ${algorithm}"`];
  }
  if (!format.algorithms.includes(algorithm)) {
    return [`is a key for ${algorithm}, which the format ${format.name} does not use`];
  }
  if (isUndecoded(bytes, settings)) return [`${undecoded}; give that part, in this file's own encoding`];
  if (bytes.length === 0) return ['is empty; generate a random key (sidecar-signer keys new)'];
  const atLeast = isRoot ? minRootBytes : Math.max(minKeyBytes, format.minKeyBytes(algorithm));
  const weak = weaknesses(bytes, atLeast);
  if (weak.length > 0 && !allowWeakKey) return weak;
  // An id that is derived from the key alone would let its reader test guesses of a weak key.
  const ownId = () => (weak.length > 0 ? processKeyId(bytes) : keyId(bytes));
  const loaded = isRoot
    ? loadRoot(id, bytes, algorithm, format, policy.allowExport ?? false)
    : makeKey(id ?? ownId(), bytes, algorithm, format);
  if (loaded === undefined) {
    return ['failed its self-test: two implementations of HMAC or HKDF disagree on this machine'];
  }
  const warnings = weak.length > 0 ? ['holds a weak key, let in by allowWeakKey; replace it'] : [];
  return { ...loaded, warnings };
}

const undecoded =
  'is the text of a secret ("whsec_…"), of which the key is the part behind "whsec_", decoded from base64';

/** The most frequent mistake with a format whose secrets are written so. */
function isUndecoded(key: Uint8Array, { format, source }: KeySettings): boolean {
  return format.secretEncoding === 'whsec' && !('root' in source) && isWhsecText(key);
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
