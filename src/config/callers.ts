/** What is wrong or noteworthy about the callers that key sets name, held against the listeners that there are. */

import type { KeySettings, KnownCallers } from '../key-sets/settings.ts';
import { fieldOf } from './fields.ts';

/** With more, a note would be too long to read. */
const maxListed = 10;

/** The callers that a key set names although no listener has their name. */
export function unknownCallers({ policy }: KeySettings, { names }: KnownCallers): readonly string[] {
  return [...(policy.callers?.keys() ?? [])].filter((caller) => !names.includes(caller));
}

export function noSuchListener({ names }: KnownCallers): string {
  const listeners = names.length === 0 ? 'there are none' : `the callers are: ${names.join(', ')}`;
  return `no listener has this name; ${listeners}. Correct the name, or start the signer with --socket NAME=PATH`;
}

/** Whether a key set says nothing about who may do what with it. */
export function isForEveryCaller(value: unknown): boolean {
  return fieldOf(value, 'allow') === undefined && fieldOf(value, 'callers') === undefined;
}

/**
 * @param open names of the key sets that say nothing about who may do what with them
 * @returns notes for somebody who checks the configuration
 */
export function callerNotes(
  keySets: ReadonlyMap<string, KeySettings>,
  open: readonly string[],
  known: KnownCallers,
): readonly string[] {
  const unknown = new Set([...keySets.values()].flatMap((settings) => unknownCallers(settings, known)));
  const unchecked = `callers: without the listeners, these names cannot be checked: ${listed([...unknown])}; give check the --socket flags that serve has`;
  return [...(unknown.size === 0 ? [] : [unchecked]), ...openNotes(open, known)];
}

/** @param open names of the key sets that any caller may use */
export function openNotes(open: readonly string[], { names }: KnownCallers): readonly string[] {
  if (open.length === 0 || names.length < 2) return [];
  const who = names.join(', ');
  return [
    `every caller (${who}) may sign and verify with ${listed(open)}; name those that may under "callers", or write "allow" if all may`,
  ];
}

function listed(names: readonly string[]): string {
  const more = names.length > maxListed ? ` and ${names.length - maxListed} more` : '';
  return names.slice(0, maxListed).join(', ') + more;
}
