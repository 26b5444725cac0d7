/**
 * Loads the files of `alsoVerify`, whose keys verify and never sign. A secret manager has no previous key before the first
 * rotation, so a file may be missing or empty, or hold the key that signs.
 */

import { withoutFinalNewline } from '../bytes/text.ts';
import type { LoadedKey } from './key.ts';
import { loadContent } from './key-content.ts';
import { ok, type Result, refused } from './result.ts';
import { type Secret, type Secrets, withBytes } from './secret.ts';
import type { KeySettings } from './settings.ts';
import { similarName } from './similar-name.ts';

export interface AlsoVerified {
  /** Whether a file holds the primary key, too. */
  readonly hasPrimary: boolean;
  /** The keys that are not the primary, each once, in the order of their files. */
  readonly keys: readonly LoadedKey[];
  /** What is used in spite of them. Each completes the sentence "this key set …", as the notes do. */
  readonly warnings: readonly string[];
  /** Which files give no key, and why. */
  readonly notes: readonly string[];
}

/**
 * @param primary undefined if it cannot be loaded
 * @param placeOf names the directory of a file, if there are several directories
 * @param unnamed the names of files that the configuration does not name
 */
export function* loadAlsoVerified(
  primary: LoadedKey | undefined,
  settings: KeySettings,
  { files }: Secrets,
  placeOf: (file: string) => string,
  unnamed: () => readonly string[],
): Generator<void, Result<AlsoVerified>> {
  const holders = new Map(primary?.fingerprints.map((fingerprint) => [fingerprint, primaryKey]));
  const problems: string[] = [];
  const warnings: string[] = [];
  const notes: string[] = [];
  const keys: LoadedKey[] = [];
  let hasPrimary = false;
  for (const [index, file] of settings.alsoVerify.entries()) {
    yield;
    const field = `alsoVerify.${index}`;
    const withoutKey = (why: string) => notes.push(`takes no key from ${field}: ${why}`);
    const [mounted, another] = files.get(file) ?? [];
    if (mounted === undefined) {
      withoutKey(`its file is not there${similarName(file, unnamed())}`);
      continue;
    }
    const about = (what: string) => `has a file (${field}${placeOf(file)}) that ${what}`;
    if (another !== undefined) {
      problems.push(about('has the name of another one, too; rename one of them'));
      continue;
    }
    if (isEmpty(mounted.secret)) {
      withoutKey('its file is empty');
      continue;
    }
    const content = yield* loadContent(mounted.secret, settings);
    if (!content.ok) {
      problems.push(...content.problems.map(about));
      continue;
    }
    warnings.push(...content.value.warnings.map(about));
    const [key] = content.value.keys;
    const holder = key.fingerprints
      .map((fingerprint) => holders.get(fingerprint))
      .find((other) => other !== undefined);
    if (holder === undefined) keys.push({ ...key, isListed: true });
    else withoutKey(`its file holds the same key as ${holder}`);
    hasPrimary ||= holder === primaryKey;
    for (const fingerprint of key.fingerprints) holders.set(fingerprint, holder ?? field);
  }
  if (problems.length > 0) return refused(...problems);
  return ok({ hasPrimary, keys, warnings, notes });
}

const primaryKey = 'the primary key';

/** Some tools write a newline after the value that they do not have yet. */
function isEmpty(secret: Secret): boolean {
  return withBytes(secret, (content) => withoutFinalNewline(content).length === 0);
}
