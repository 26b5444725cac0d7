/**
 * JSON texts (RFC 8259) to values, without what JSON.parse loses and does not say: the digits of a number that a double
 * does not hold, and a member that stands twice.
 */

/**
 * As JSON.parse, but a number that would be another one when it is written again (9007199254740993, 1e400, -0) becomes
 * Infinity, which no JSON text can say and no shape admits.
 * @throws {SyntaxError} whose message may repeat a part of the text
 */
export function parseExactJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (text.search(doubtful) < 0) return value;
  let inexact = false;
  const exact = mapOutsideStrings(text, (part) =>
    part.replace(doubtful, (source) => {
      if (isExact(source)) return source;
      inexact = true;
      return '1e999';
    }),
  );
  return inexact ? JSON.parse(exact) : value;
}

/**
 * As `parseExactJson`, but undefined for a text in which an object has a member twice: another reader could take the
 * other one (RFC 7515 §4, RFC 7519 §4).
 * @throws {SyntaxError} whose message may repeat a part of the text
 */
export function parseUnambiguousJson(text: string): unknown {
  const value = parseExactJson(text);
  // Outside of strings, a colon stands behind the name of a member and nowhere else.
  let written = 0;
  mapOutsideStrings(text, (part) => {
    written += part.split(':').length - 1;
    return '';
  });
  return written === countMembers(value) ? value : undefined;
}

/** A number that a double may not hold: every other has at most 15 digits and no exponent, and is not negative zero. */
const doubtful = /-0[\d.eE+-]*|-?\d[\d.]{15,}[\deE+-]*|-?\d[\d.]*[eE][\d+-]+/g;

/** Whether JSON.stringify writes the number of this JSON text with the same value. */
function isExact(source: string): boolean {
  const written = String(Number(source));
  if (source === written) return true;
  // No double needs this many characters, and it bounds what the comparison costs.
  if (source.length > 64 || !/\d$/.test(written)) return false;
  return decimal(source) === decimal(written);
}

/** One text for each decimal value: sign, digits without zeros at either end, power of ten. */
function decimal(number: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(number) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return `${sign}0`;
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}

/** A valid JSON text with everything between its strings replaced. Linear in the text, whatever is in it. */
function mapOutsideStrings(text: string, replace: (part: string) => string): string {
  let mapped = '';
  for (let at = 0; ; ) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return mapped + replace(text.slice(at));
    const end = endOfString(text, quote);
    mapped += replace(text.slice(at, quote)) + text.slice(quote, end);
    at = end;
  }
}

/** Where the string that begins with this quote has ended. */
function endOfString(text: string, quote: number): number {
  for (let at = quote + 1; ; at++) {
    const character = text.charCodeAt(at);
    if (character === 0x22) return at + 1;
    if (character === 0x5c) at++;
  }
}

/** Without recursion, so that no depth of a text exhausts the stack. */
function countMembers(root: unknown): number {
  let members = 0;
  const reached: object[] = typeof root === 'object' && root !== null ? [root] : [];
  for (let value = reached.pop(); value !== undefined; value = reached.pop()) {
    const children: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
    if (!Array.isArray(value)) members += children.length;
    for (const child of children) if (typeof child === 'object' && child !== null) reached.push(child);
  }
  return members;
}
