/** What is wrong with `alsoVerify` where each name by itself is right: what it names twice, and what does not go with it. */

import { fileOf, type KeySettings } from '../key-sets/settings.ts';
import { fieldOf } from './fields.ts';

export interface FieldProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/**
 * Within a key set.
 * @param fields as they are in the configuration
 */
export function alsoVerifyProblems(fields: unknown, settings: KeySettings): readonly FieldProblem[] {
  const { source, alsoVerify, encoding, format } = settings;
  if (alsoVerify.length === 0) return [];
  const problems: FieldProblem[] = [];
  if (encoding === 'jwks') {
    const message =
      'is not for a JWK set, which holds all keys that verify itself; use "keys add", "keys promote" and "keys remove"';
    problems.push({ path: ['alsoVerify'], message });
  }
  // Such a message would be signed by keys that must never sign.
  if (fieldOf(fieldOf(fields, format.name), 'signWith') === 'all') {
    const message =
      'must not be "all" with alsoVerify, whose keys never sign; use a JWK set to sign with each key';
    problems.push({ path: [format.name, 'signWith'], message });
  }
  for (const [index, file] of alsoVerify.entries()) {
    const path = ['alsoVerify', index];
    if (file === fileOf(source)) {
      problems.push({ path, message: 'names the file of the key that signs; name the file of another key' });
    } else if (alsoVerify.indexOf(file) < index) {
      problems.push({ path, message: 'names a file for the second time; remove it' });
    }
  }
  return problems;
}

/**
 * Among key sets. Since a file of `alsoVerify` may be missing, its key would otherwise be found in two key sets only when
 * it appears, which is in the middle of a rotation.
 * @yields the name of a key set, and where in it the problem is
 */
export function* sharedFileProblems(
  keySets: ReadonlyMap<string, KeySettings>,
): Generator<readonly [name: string, problem: FieldProblem]> {
  const owners = new Map<string, string>();
  for (const [name, { source }] of keySets) {
    const file = fileOf(source);
    if (file !== undefined && !owners.has(file)) owners.set(file, name);
  }
  for (const [name, { alsoVerify }] of keySets) {
    for (const [index, file] of alsoVerify.entries()) {
      const owner = owners.get(file) ?? name;
      owners.set(file, owner);
      if (owner === name) continue;
      const message = `names a file of the key set "${owner}"; give each key set files of its own`;
      yield [name, { path: ['alsoVerify', index], message }];
    }
  }
}
