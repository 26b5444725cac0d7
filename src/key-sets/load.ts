/** Loads all key sets, or reports every reason why they cannot be loaded. */

import { escapeControls } from '../bytes/text.ts';
import { inTurns } from '../turns.ts';
import { type AlsoVerified, loadAlsoVerified } from './also-verify.ts';
import type { LoadedKey } from './key.ts';
import { loadContent } from './key-content.ts';
import { maxProblems, moreProblems, ok, type Result, refused } from './result.ts';
import type { Secret, Secrets } from './secret.ts';
import { type Configuration, fileOf, isKeySetName, type KeySettings, keySetNameRule } from './settings.ts';
import { similarName } from './similar-name.ts';

export interface LoadedKeySet {
  readonly name: string;
  readonly settings: KeySettings;
  /** The primary first. */
  readonly keys: readonly [LoadedKey, ...LoadedKey[]];
  /** Notes about keys that are used in spite of them. Each completes the sentence "this key set …". */
  readonly warnings: readonly string[];
  /** What is in order and may still surprise. Each completes the same sentence. */
  readonly notes: readonly string[];
}

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
    const settings = settingsByName.get(name);
    const place = placeOf(settings && fileOf(settings.source));
    problems.push(`${escapeControls(JSON.stringify(name))}${place} ${what}`);
  };
  const unnamed = () =>
    [...secrets.files.keys(), ...secrets.others].filter((file) => !configuration.files?.has(file));
  for (const [name, settings] of settingsByName) {
    yield;
    const loaded = yield* loadKeySet(name, settings, secrets, (primary) =>
      loadAlsoVerified(primary, settings, secrets, placeOf, unnamed),
    );
    if (loaded.ok) keySets.push(loaded.value);
    else for (const what of loaded.problems) refuse(name, what);
    if (problems.length >= maxProblems) return refused(...problems, moreProblems);
  }
  yield* refuseSharedKeys(keySets, refuse);
  return problems.length > 0 ? refused(...problems) : ok(keySets);
}

/** Names the directory of a file if there are several directories. */
function createPlaces({ files }: Secrets): (file: string | undefined) => string {
  const directories = new Set([...files.values()].flat().map(({ directory }) => directory));
  return (file) => {
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

function* loadKeySet(
  name: string,
  settings: KeySettings,
  secrets: Secrets,
  loadAlso: (primary: LoadedKey | undefined) => Steps<Result<AlsoVerified>>,
): Steps<Result<LoadedKeySet>> {
  if (!isKeySetName(name)) {
    return refused(
      `is not a usable name; use ${keySetNameRule}, or name the file in a configuration ("file")`,
    );
  }
  const secret = findSecret(name, settings, secrets);
  const content = secret.ok ? yield* loadContent(secret.value, settings) : secret;
  const also = yield* loadAlso(content.ok ? content.value.keys[0] : undefined);
  if (!content.ok || !also.ok) {
    return refused(...[content, also].flatMap((each) => (each.ok ? [] : each.problems)));
  }
  const [primary, ...others] = content.value.keys;
  const { hasPrimary, keys, notes } = also.value;
  const ofFormat = settings.format.warnings ?? [];
  return ok({
    name,
    settings,
    keys: [hasPrimary ? { ...primary, isListed: true } : primary, ...others, ...keys],
    warnings: [...new Set([...content.value.warnings, ...ofFormat, ...also.value.warnings])],
    notes,
  });
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
  const hint = similarName(file, [...files.keys(), ...others]);
  return refused(`${what} in the mounted secrets${hint}`);
}
