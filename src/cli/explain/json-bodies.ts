/**
 * A JSON body as other programs would have written it. Only white space, escapes and the order of members change: the
 * digits of numbers stay as they are, which parsing and printing would lose.
 */

import { isSmallJson, type JsonSize } from '../../bytes/small-json.ts';
import { decodeUtf8 } from '../../bytes/text.ts';
import type { Difference } from './difference.ts';

export interface Body {
  readonly bytes: Uint8Array;
  readonly differences: readonly Difference[];
}

/** More than any webhook has, and few enough to be written thirty times within a second. */
const mostJson: JsonSize = { values: 64 * 1024, depth: 256 };
const maxBytes = 4 * 2 ** 20;

interface Layout {
  readonly name: string;
  readonly indent: string;
  /** Between members, if they are not on lines of their own. */
  readonly comma: string;
  readonly colon: string;
}

const compact: Layout = { name: 'without white space', indent: '', comma: ',', colon: ':' };
const spaced: Layout = {
  name: 'with a space after each comma and colon (as Python does)',
  indent: '',
  comma: ', ',
  colon: ': ',
};
const indented = (indent: string, name: string): Layout => ({ name, indent, comma: ',', colon: ': ' });
const byTwo = indented('  ', 'indented by two spaces');
const byFour = indented('    ', 'indented by four spaces');
const byTab = indented('\t', 'indented by tabs');

interface Escapes {
  readonly name: string;
  /** @param text JSON in which nothing outside strings is escaped */
  readonly write: (text: string) => string;
}

const escapeUnits = (text: string, pattern: RegExp) =>
  text.replace(pattern, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
const plain: Escapes = { name: '', write: (text) => text };
const slashes: Escapes = { name: 'with / written as \\/', write: (text) => text.replaceAll('/', '\\/') };
const ascii: Escapes = {
  name: 'with letters beyond ASCII written as \\uXXXX',
  write: (text) => escapeUnits(text, /[\u007f-\uffff]/g),
};
const php: Escapes = {
  name: 'with / written as \\/ and letters beyond ASCII as \\uXXXX (as PHP does)',
  write: (text) => escapeUnits(text.replaceAll('/', '\\/'), /[\u0080-\uffff]/g),
};
const html: Escapes = {
  name: 'with < > & written as \\u003c \\u003e \\u0026 (as Go and Rails do)',
  write: (text) => escapeUnits(text, /[<>&\u2028\u2029]/g),
};
const dotNet: Escapes = {
  name: 'with letters beyond ASCII, quotes and < > & + written as \\uXXXX in upper case (as .NET does)',
  write: (text) =>
    text
      .replaceAll('\\"', '\\u0022')
      .replace(
        /[<>&'+`\u007f-\uffff]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`,
      ),
};

interface Style {
  readonly layout: Layout;
  readonly escapes?: Escapes;
  readonly isSorted?: true;
  readonly newline?: true;
}

/** The most usual first. */
const styles: readonly Style[] = [
  { layout: compact },
  { layout: spaced },
  { layout: spaced, escapes: ascii },
  { layout: compact, escapes: ascii },
  { layout: compact, escapes: php },
  { layout: compact, escapes: slashes },
  { layout: compact, escapes: html },
  { layout: compact, escapes: dotNet },
  { layout: byTwo },
  { layout: byFour },
  { layout: byTab },
  { layout: byTwo, escapes: ascii },
  { layout: byFour, escapes: ascii },
  { layout: byFour, escapes: php },
  { layout: byFour, escapes: slashes },
  { layout: compact, isSorted: true },
  { layout: spaced, isSorted: true },
  { layout: compact, escapes: ascii, isSorted: true },
  { layout: spaced, escapes: ascii, isSorted: true },
  { layout: byTwo, isSorted: true },
  { layout: byFour, isSorted: true },
  { layout: compact, newline: true },
  { layout: compact, escapes: html, newline: true },
  { layout: spaced, newline: true },
  { layout: byTwo, newline: true },
  { layout: byFour, newline: true },
];

/** Whether a body is too long to be written anew, if it is JSON. */
export function isLargeJson(body: Uint8Array): boolean {
  return body.length > maxBytes || !isSmallJson(body, mostJson);
}

/** Each only when it is asked for, because a body may be long. */
export function* jsonBodies(body: Uint8Array): Generator<Body> {
  const tokens = isLargeJson(body) ? undefined : tokensOf(body);
  if (tokens === undefined) return;
  const texts = new Map<string, string>();
  let inOrder: readonly string[] | undefined;
  for (const { layout, escapes = plain, isSorted = false, newline = false } of styles) {
    if (isSorted) inOrder ??= sorted(tokens);
    const which = `${isSorted} ${layout.name}`;
    const printed = texts.get(which) ?? print((isSorted ? inOrder : undefined) ?? tokens, layout);
    texts.set(which, printed);
    const text = escapes.write(printed) + (newline ? '\n' : '');
    const details = [
      layout.name,
      escapes.name,
      isSorted ? 'with its members sorted' : '',
      newline ? 'with a newline at its end' : '',
    ];
    const how = details.filter((each) => each !== '').join(', ');
    yield { bytes: Buffer.from(text), differences: [writtenAnew(how)] };
  }
}

function writtenAnew(how: string): Difference {
  return {
    code: 'body-json',
    when: `the JSON of the body is written ${how}`,
    remedy:
      'The body was parsed and printed again: verify the bytes as they were received, before any JSON parser.',
  };
}

const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** JSON.parse says whether it is JSON. The tokens keep the texts of its values. */
function tokensOf(body: Uint8Array): readonly string[] | undefined {
  const text = decodeUtf8(body)?.replace(/^\ufeff/, '');
  if (text === undefined || !/^\s*[[{]/.test(text)) return undefined;
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  return text.match(token)?.map(normalised);
}

/** A string without needless escapes. */
function normalised(text: string): string {
  return text.startsWith('"') && text.includes('\\') ? JSON.stringify(JSON.parse(text)) : text;
}

/** The same tokens, with the members of each object in the order of their names. */
function sorted(tokens: readonly string[]): readonly string[] {
  let at = 0;
  const value = (): readonly string[] => {
    const open = tokens[at++] ?? '';
    if (open !== '{' && open !== '[') return [open];
    const members: (readonly string[])[] = [];
    const close = open === '{' ? '}' : ']';
    while (tokens[at] !== close) {
      if (tokens[at] === ',') at++;
      const name = open === '{' ? [tokens[at++] ?? '', tokens[at++] ?? ''] : [];
      members.push([...name, ...value()]);
    }
    at++;
    const byName =
      open === '{' ? members.toSorted(([a = ''], [b = '']) => (a < b ? -1 : a > b ? 1 : 0)) : members;
    return [open, ...byName.flatMap((member, index) => (index === 0 ? member : [',', ...member])), close];
  };
  return value();
}

function print(tokens: readonly string[], { indent, comma, colon }: Layout): string {
  let [out, line] = ['', '\n'];
  for (let at = 0; at < tokens.length; at++) {
    const text = tokens[at] ?? '';
    const next = tokens[at + 1];
    if (text === ',') out += indent === '' ? comma : `,${line}`;
    else if (text === ':') out += colon;
    else if ((text === '{' && next === '}') || (text === '[' && next === ']')) {
      out += text + next;
      at++;
    } else if (indent === '') out += text;
    else if (text === '{' || text === '[') {
      line += indent;
      out += text + line;
    } else if (text === '}' || text === ']') {
      line = line.slice(0, -indent.length);
      out += line + text;
    } else out += text;
  }
  return out;
}
