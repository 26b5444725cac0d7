/**
 * Decides whether a template can be read in two ways. The automaton of a template has a state for each place at which its
 * languages can read a byte (Glushkov's construction), so an assignment of values to the variables is one run. Two
 * assignments that give the same bytes are two runs on one word, which exist exactly if a path in the product of the
 * automaton with itself leaves the diagonal and ends where both runs may end. docs/formats/custom-schemes.md has the proof.
 */

import type { ByteSet, Language } from './language.ts';

/** State 0 is the start, before the first byte. Every other state has just read one byte of its set. */
export interface Automaton {
  readonly sets: readonly ByteSet[];
  /** The index of the part that each state belongs to. */
  readonly parts: readonly number[];
  /** How many parts there are. */
  readonly count: number;
  readonly next: readonly (readonly number[])[];
  readonly ends: ReadonlySet<number>;
}

interface Fragment {
  readonly first: readonly number[];
  readonly last: readonly number[];
  readonly canBeEmpty: boolean;
}

const nothing: Fragment = { first: [], last: [], canBeEmpty: true };

/** @param parts read one after the other. Each must itself read every word in one way */
export function createAutomaton(parts: readonly Language[]): Automaton {
  const sets: ByteSet[] = [''];
  const partOf: number[] = [-1];
  const next: number[][] = [[]];
  let part = 0;

  const link = (from: readonly number[], to: readonly number[]) => {
    for (const state of from) next[state]?.push(...to);
  };
  const join = (a: Fragment, b: Fragment): Fragment => {
    link(a.last, b.first);
    return {
      first: a.canBeEmpty ? [...a.first, ...b.first] : a.first,
      last: b.canBeEmpty ? [...a.last, ...b.last] : b.last,
      canBeEmpty: a.canBeEmpty && b.canBeEmpty,
    };
  };
  const build = (language: Language): Fragment => {
    if ('bytes' in language) {
      const state = sets.push(language.bytes) - 1;
      partOf.push(part);
      next.push([]);
      return { first: [state], last: [state], canBeEmpty: false };
    }
    if ('sequence' in language) return language.sequence.map(build).reduce(join, nothing);
    if ('choice' in language) {
      const branches = language.choice.map(build);
      return {
        first: branches.flatMap(({ first }) => first),
        last: branches.flatMap(({ last }) => last),
        canBeEmpty: branches.some(({ canBeEmpty }) => canBeEmpty),
      };
    }
    const { repeated, least, most } = language;
    if (most === Number.POSITIVE_INFINITY) {
      const before = Array.from({ length: Math.max(least - 1, 0) }, () => build(repeated));
      const again = build(repeated);
      link(again.last, again.first);
      const loop = least === 0 ? { ...again, canBeEmpty: true } : again;
      return [...before, loop].reduce(join, nothing);
    }
    // Nested, as in `x(x(x)?)?`: side by side, `x?x?x?` would read one x in three ways.
    let rest = nothing;
    for (let count = least; count < most; count++)
      rest = { ...join(build(repeated), rest), canBeEmpty: true };
    return [...Array.from({ length: least }, () => build(repeated)), rest].reduce(join, nothing);
  };

  let whole = nothing;
  for (const language of parts) {
    whole = join(whole, build(language));
    part++;
  }
  next[0]?.push(...whole.first);
  const ends = new Set([...whole.last, ...(whole.canBeEmpty ? [0] : [])]);
  return { sets, parts: partOf, count: parts.length, next, ends };
}

/**
 * Finds a word that the automaton reads in two ways.
 * @returns the bytes of each part in each of the two ways, as Latin-1; undefined if there is no such word
 */
export function twoReadings(
  automaton: Automaton,
): readonly [readonly string[], readonly string[]] | undefined {
  const { ends } = automaton;
  const path = search(automaton, automaton, (a, b, apart) => apart && ends.has(a) && ends.has(b), true);
  if (path === undefined) return undefined;
  const read = (stateOf: (step: Step) => number) => {
    const texts = Array.from({ length: automaton.count }, () => '');
    for (const step of path) texts[automaton.parts[stateOf(step)] ?? 0] += step.byte;
    return texts;
  };
  return [read(({ a }) => a), read(({ b }) => b)];
}

/** Finds a word that both automata read, or with `asPrefix` one that begins a word of `b`. Undefined if there is none. */
export function commonWord(a: Automaton, b: Automaton, asPrefix = false): string | undefined {
  const path = search(a, b, (x, y) => a.ends.has(x) && (asPrefix || b.ends.has(y)));
  return path?.map(({ byte }) => byte).join('');
}

/** One byte of a word, and the states of both automata after it. */
interface Step {
  readonly a: number;
  readonly b: number;
  readonly byte: string;
}

/**
 * Searches the product of two automata breadth first, so that what it finds is short.
 * @param isFound called with a state of each, and whether the two runs have differed
 * @param isSame set if `a` and `b` are one automaton
 */
function search(
  a: Automaton,
  b: Automaton,
  isFound: (a: number, b: number, apart: boolean) => boolean,
  isSame = false,
): readonly Step[] | undefined {
  const width = b.sets.length;
  const seen = new Uint8Array(2 * a.sets.length * width);
  const common = createCommonByte(a, b);
  // A pair of states is one number. By their index: the pairs in the order of the search, and from where each was reached.
  const pairs = [0];
  const from = [-1];
  for (let at = 0; at < pairs.length; at++) {
    const pair = pairs[at] ?? 0;
    const [x, y] = [Math.floor((pair >> 1) / width), (pair >> 1) % width];
    const wasApart = pair % 2 === 1;
    if (isFound(x, y, wasApart)) return pathTo(at);
    for (const nextX of a.next[x] ?? []) {
      for (const nextY of b.next[y] ?? []) {
        // Until the two runs differ, they are alike, so their order says nothing.
        if (isSame && !wasApart && nextX > nextY) continue;
        const apart = wasApart || nextX !== nextY;
        const next = 2 * (nextX * width + nextY) + (apart ? 1 : 0);
        if (seen[next] === 1 || common(nextX, nextY) === undefined) continue;
        seen[next] = 1;
        pairs.push(next);
        from.push(at);
      }
    }
  }
  return undefined;

  function pathTo(end: number): readonly Step[] {
    const path: Step[] = [];
    for (let at = end; at > 0; at = from[at] ?? 0) {
      const pair = (pairs[at] ?? 0) >> 1;
      const [x, y] = [Math.floor(pair / width), pair % width];
      path.push({ a: x, b: y, byte: common(x, y) ?? '' });
    }
    return path.reverse();
  }
}

/** Finds a byte that is in the sets of both states: one that people can read, if there is one. */
function createCommonByte(a: Automaton, b: Automaton): (x: number, y: number) => string | undefined {
  const numbers = new Map<ByteSet, number>();
  const numberOf = (set: ByteSet) => {
    const number = numbers.get(set) ?? numbers.size;
    numbers.set(set, number);
    return number;
  };
  const [setsOfA, setsOfB] = [a.sets.map(numberOf), b.sets.map(numberOf)];
  const found: (string | null | undefined)[] = [];
  return (x, y) => {
    const key = (setsOfA[x] ?? 0) * numbers.size + (setsOfB[y] ?? 0);
    let byte = found[key];
    if (byte === undefined) {
      byte = candidates.find((each) => includes(a.sets[x], each) && includes(b.sets[y], each)) ?? null;
      found[key] = byte;
    }
    return byte ?? undefined;
  };
}

const allBytes = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));
/** The readable ones first. */
const candidates = [...'1a/-.:', ...allBytes.slice(0x21, 0x7f), ...allBytes];

function includes(set: ByteSet = '', byte: string): boolean {
  for (let at = 0; at < set.length; at += 2) {
    if (byte >= (set[at] ?? '') && byte <= (set[at + 1] ?? '')) return true;
  }
  return false;
}
