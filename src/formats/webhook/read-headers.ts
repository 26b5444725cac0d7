/** Reads the headers of a received message. */

import type { Invalid, VerificationFailure } from '../../api/messages.ts';
import type { HeaderLookup } from '../../signing/format.ts';
import { invalid } from '../../signing/verify-tag.ts';
import type { Carrier } from './carriers.ts';
import type { Item } from './header-value.ts';
import type { Values } from './request.ts';
import type { Scheme } from './scheme.ts';

/** What the headers of a received message say. */
export interface Received {
  /** Values of the scheme's variables, each in the syntax that the scheme accepts. */
  readonly values: Values;
  /** The signatures as text, not decoded yet. */
  readonly signatures: readonly string[];
}

/** Looks up no other headers than those of the scheme. */
export function readHeaders(scheme: Scheme, header: HeaderLookup): Received | VerificationFailure | Invalid {
  const { carriers, proven } = scheme;
  const isAbsent = (name: string) => header(name) === undefined;
  // The scheme's own names and the other ones are never mixed. A header without other names keeps its own.
  const byAlias =
    scheme.hasAliases &&
    carriers.every(({ reads, aliases }) => aliases.length === 0 || reads.every(isAbsent));
  const present: (readonly [Carrier, string])[] = [];
  let isMissing = false;
  for (const carrier of carriers) {
    const before = present.length;
    for (const name of byAlias && carrier.aliases.length > 0 ? carrier.aliases : carrier.reads) {
      const value = header(name);
      if (value !== undefined) present.push([carrier, value]);
    }
    if (carrier.isNeeded && present.length === before) isMissing = true;
  }
  if (isMissing) return 'missing';
  const found = new Map<string, string[]>();
  const wrong = new Set<string>();
  for (const [carrier, value] of present) {
    if (carrier.variables.size > 0) readValue(carrier, value, found, wrong);
    // Of a header with fixed text, another value means another version of the scheme.
    else if (!carrier.items.every(({ pattern }) => pattern.test(value))) {
      return invalid(
        'unsupported',
        `the header ${carrier.names[0]} has another value than the scheme writes`,
      );
    }
  }
  const values: Values = {};
  for (const variable of proven) {
    const [value, another] = found.get(variable) ?? [];
    if (value === undefined || another !== undefined || wrong.has(variable)) return 'malformed';
    values[variable] = value;
  }
  const signatures = found.get('signature');
  if (signatures === undefined) return wrong.has('signature') ? 'malformed' : 'missing';
  return { values, signatures };
}

/** Many times as many as a header of a webhook has. What comes after them is not read. */
const maxWords = 1024;

/** Adds the values of variables to `found`. Adds the variables of items that are not as they must be to `wrong`. */
function readValue(
  { items, between, isList, variables }: Carrier,
  value: string,
  found: Map<string, string[]>,
  wrong: Set<string>,
): void {
  // A time or an id occurs once. Splitting the value would accept a header that was received twice.
  const isSplit = isList || variables.has('signature');
  // Most values are one item.
  const whole = isSplit ? withoutOuterSpace(value) : value;
  const single = items.length === 1 ? readItem(items, [whole], 0) : undefined;
  if (single !== undefined) {
    addGroups(single, found);
    return;
  }
  const words = isSplit ? whole.split(between, maxWords).map(withoutOuterSpace) : [whole];
  for (let at = 0; at < words.length; at++) {
    const read = readItem(items, words, at);
    if (read === undefined) {
      // In a list, an item that nobody knows is skipped. Elsewhere it stands in the place of the value.
      const meant = isList ? items.filter((each) => beginsLike(each, textAt(words, at, each.words))) : items;
      for (const each of meant) for (const variable of each.variables) wrong.add(variable);
      continue;
    }
    addGroups(read, found);
    const [{ words: count }] = read;
    at += count - 1;
  }
}

function addGroups([{ variables }, groups]: Reading, found: Map<string, string[]>): void {
  for (let index = 0; index < variables.length; index++) {
    const [variable, value] = [variables[index] ?? '', groups[index + 1] ?? ''];
    const values = found.get(variable);
    if (values === undefined) found.set(variable, [value]);
    else values.push(value);
  }
}

/** An item, and the groups of its pattern in a text. */
type Reading = readonly [Item, readonly string[]];

/** The item that begins at a word. */
function readItem(items: readonly Item[], words: readonly string[], at: number): Reading | undefined {
  for (const item of items) {
    const groups = item.pattern.exec(textAt(words, at, item.words));
    if (groups !== null) return [item, groups];
  }
  return undefined;
}

function textAt(words: readonly string[], at: number, count: number): string {
  return count === 1 ? (words[at] ?? '') : words.slice(at, at + count).join(',');
}

function beginsLike({ begin }: Item, text: string): boolean {
  return begin !== '' && text.startsWith(begin);
}

/** Not `trim`, which also removes line breaks and other characters that no header may hold. */
function withoutOuterSpace(text: string): string {
  let [start, end] = [0, text.length];
  while (isOuter(text[start])) start++;
  while (end > start && isOuter(text[end - 1])) end--;
  return text.slice(start, end);
}

function isOuter(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}
