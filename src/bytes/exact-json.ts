/**
 * Parses JSON texts (RFC 8259) and reports what `JSON.parse` silently loses: the digits of a number that a double cannot
 * hold, and duplicate members of an object.
 */

/**
 * Like `JSON.parse`, but a number that would be written back as another number (9007199254740993, 1e400, -0) becomes
 * Infinity. No JSON text can say Infinity, so a caller recognises it, and every schema refuses it.
 * @throws {SyntaxError} whose message may repeat a part of the text
 */
export function parseExactJson(text: string): unknown {
  return inexactCandidate.test(text) ? JSON.parse(text, createReviver()) : JSON.parse(text);
}

/**
 * Like `parseExactJson`, but returns undefined for a text in which an object has duplicate members, because another
 * parser could use the other value (RFC 7515 §4, RFC 7519 §4).
 * @throws {SyntaxError} whose message may repeat a part of the text
 * @throws {RangeError} for a text that is nested thousands of levels deep
 */
export function parseUnambiguousJson(text: string): unknown {
  const value = parseExactJson(text);
  return hasEachMemberOnce(text, value) ? value : undefined;
}

/** @param value what `JSON.parse` made of the text */
export function hasEachMemberOnce(text: string, value: unknown): boolean {
  return countColons(text) === countMembers(value);
}

const [quote, backslash, colon] = [0x22, 0x5c, 0x3a];

/** Outside strings, a colon follows the name of each member and appears nowhere else (RFC 8259 §4). */
function countColons(text: string): number {
  let colons = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (character === quote) inString = !inString;
    else if (character === backslash) at++;
    else if (character === colon && !inString) colons++;
  }
  return colons;
}

function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const children: readonly unknown[] = Object.values(value);
  const own = Array.isArray(value) ? 0 : children.length;
  return children.reduce((members: number, child) => members + countMembers(child), own);
}

/** What `JSON.parse` tells its reviver about a value; `source` is its text, for a number, string, boolean or null. */
interface Context {
  readonly source?: string;
}

/**
 * Finds numbers that a double may not hold; every other number has at most 15 digits, no exponent, and is not negative
 * zero. A match within a string only means that the slower parser is used. The search is linear, because it looks for a
 * number only after a delimiter.
 */
const inexactCandidate = /(?:^|[[:,\s])(?:-0|-?\d[\d.]{15}|-?\d[\d.]*[eE])/;

/**
 * How many numbers of a text may be written otherwise than `JSON.stringify` writes them, such as 1.0 or 1e3. To compare the
 * two takes long, and a text of a mebibyte would occupy the signer for a quarter of a second. Any further one counts as
 * changed.
 */
const maxRewritten = 8192;

/** A reviver that turns a number into Infinity unless `JSON.stringify` writes it with the value of its text. */
function createReviver(): (name: string, value: unknown, context?: Context) => unknown {
  let left = maxRewritten;
  return (_name, value, { source = '' } = {}) => {
    if (typeof value !== 'number') return value;
    const written = String(value);
    if (source === written) return value;
    return left-- > 0 && hasValue(source, written) ? value : Number.POSITIVE_INFINITY;
  };
}

function hasValue(source: string, written: string): boolean {
  // No double needs this many characters, and the limit bounds the cost of the comparison.
  return source.length <= 64 && decimal(source) === decimal(written);
}

/** One text for each decimal value: sign, digits without zeros at either end, power of ten. */
function decimal(number: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(number) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return `${sign}0`;
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}
