/**
 * Reads the pattern of a challenge's tokens: characters and sets of characters such as `[A-Za-z0-9_-]`, each perhaps with
 * `{8}` or `{8,128}`. It means what it means in a regular expression, of which it is a small part.
 */

import { createAutomaton, twoReadings } from './automaton.ts';
import { bytes, fixed, type Language, repeated, sequence } from './language.ts';

const element = /\[((?:[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9_.:+/=~-])+)\]|([A-Za-z0-9_:=~/-])|\\([.+])/y;
const count = /\{(\d{1,3})(?:,(\d{1,3}))?\}/y;
const maxLength = 512;
const maxPatternLength = 128;

const rule = `must be at most ${maxPatternLength} characters and sets such as [A-Za-z0-9_-], each perhaps with {8} or {8,128}, for tokens of 1 to ${maxLength} characters`;
const ambiguous =
  'can read one token in two ways, so a long token could keep the signer busy; write each set once, or put a character between two sets that neither holds';

/** @returns the language of the tokens, or what is wrong */
export function readPattern(pattern: string): Language | string {
  if (pattern.length > maxPatternLength) return rule;
  const parts: Language[] = [];
  let [at, shortest, longest] = [0, 0, 0];
  const next = (expression: RegExp) => {
    expression.lastIndex = at;
    const found = expression.exec(pattern);
    if (found !== null) at = expression.lastIndex;
    return found;
  };
  while (at < pattern.length) {
    const found = next(element);
    if (found === null) return rule;
    const [, set, character, escaped] = found;
    const one = set === undefined ? fixed(character ?? escaped ?? '') : setOf(set);
    if (one === undefined) return rule;
    const [, least = 1, most = least] =
      next(count)
        ?.map(Number)
        .map((each) => (Number.isNaN(each) ? undefined : each)) ?? [];
    if (least > most) return rule;
    shortest += least;
    longest += most;
    parts.push(repeated(one, least, most));
    if (longest > maxLength) return rule;
  }
  if (shortest === 0) return rule;
  // With one way to read each token, a regular expression never has more partial matches than the pattern has characters.
  return twoReadings(createAutomaton(parts)) === undefined ? sequence(...parts) : ambiguous;
}

/** Undefined for a range that ends before it begins. */
function setOf(text: string): Language | undefined {
  const ranges = text.match(/[A-Za-z0-9]-[A-Za-z0-9]|./g) ?? [];
  const pairs = ranges.map((range) => (range.length === 3 ? [range[0], range[2]] : [range, range]));
  if (pairs.some(([first = '', last = '']) => first > last)) return undefined;
  return bytes(pairs.flat().join(''));
}
