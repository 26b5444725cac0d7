/**
 * The regular languages of what a template holds: fixed text, and the values that verification accepts for a variable.
 * From the same description follow the regular expression that reads a value, and the automaton that automaton.ts checks.
 */

/** A set of bytes by its ranges, first and last byte in turn: `azAZ`. */
export type ByteSet = string;

export type Language =
  | { readonly bytes: ByteSet }
  | { readonly sequence: readonly Language[] }
  | { readonly choice: readonly Language[] }
  /** `most` may be Infinity. */
  | { readonly repeated: Language; readonly least: number; readonly most: number };

export const bytes = (set: ByteSet): Language => ({ bytes: set });
export const sequence = (...parts: readonly Language[]): Language => ({ sequence: parts });
export const choice = (...branches: readonly Language[]): Language => ({ choice: branches });
export const repeated = (of: Language, least: number, most = least): Language => ({
  repeated: of,
  least,
  most,
});
export const anyNumber = (of: Language, least = 0): Language => repeated(of, least, Number.POSITIVE_INFINITY);
export const optional = (of: Language): Language => repeated(of, 0, 1);

/** Exactly this text, as UTF-8. */
export function fixed(text: string): Language {
  return sequence(...[...Buffer.from(text).toString('latin1')].map((byte) => bytes(byte + byte)));
}

export const everyByte: ByteSet = '\x00\xff';

/** @param without characters in the order of their codes */
export function except(first: string, last: string, without: string): ByteSet {
  let [set, next] = ['', first.charCodeAt(0)];
  const add = (end: number) => {
    if (next <= end) set += String.fromCharCode(next, end);
  };
  for (const character of [...without].sort()) {
    const code = character.charCodeAt(0);
    if (code < next) continue;
    add(Math.min(code - 1, last.charCodeAt(0)));
    next = code + 1;
  }
  add(last.charCodeAt(0));
  return set;
}

/** The source of a regular expression for JavaScript strings, in which characters beyond Latin-1 count as the byte 0xff. */
export function patternOf(language: Language): string {
  if ('bytes' in language) return `[${language.bytes.replace(/(.)(.)/gs, (_, a, b) => range(a, b))}]`;
  if ('sequence' in language) return language.sequence.map(patternOf).join('');
  if ('choice' in language) return `(?:${language.choice.map(patternOf).join('|')})`;
  const { repeated, least, most } = language;
  const pattern = 'bytes' in repeated ? patternOf(repeated) : `(?:${patternOf(repeated)})`;
  return `${pattern}{${least},${most === Number.POSITIVE_INFINITY ? '' : most}}`;
}

/** Matches exactly the values of a language. */
export function matcherOf(language: Language): RegExp {
  return new RegExp(`^${patternOf(language)}$`);
}

function range(first: string, last: string): string {
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return `${escaped(first)}-${last === '\xff' ? '\\uffff' : escaped(last)}`;
}
