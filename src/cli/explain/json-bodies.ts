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
const mostJson: JsonSize = { values: 256 * 1024, depth: 256 };
const maxBytes = 4 * 2 ** 20;

type Node =
  | { readonly text: string }
  | { readonly open: '{' | '['; readonly members: readonly (readonly [name: string, value: Node])[] };

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
  /** @param text a string as JSON.stringify writes it */
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

/** Each only when it is asked for, because a body may be long. */
export function* jsonBodies(body: Uint8Array): Generator<Body> {
  const root = body.length <= maxBytes && isSmallJson(body, mostJson) ? parseTree(body) : undefined;
  if (root === undefined) return;
  for (const style of styles) {
    const { layout, escapes = plain, isSorted = false, newline = false } = style;
    const text = print(root, { layout, escapes, isSorted }, '\n') + (newline ? '\n' : '');
    const details = [
      layout.name,
      escapes.name,
      isSorted ? 'with its members sorted' : '',
      newline ? 'with a newline at its end' : '',
    ];
    yield {
      bytes: Buffer.from(text),
      differences: [printed(details.filter((each) => each !== '').join(', '))],
    };
  }
}

function printed(how: string): Difference {
  return {
    code: 'body-json',
    when: `the JSON of the body is written ${how}`,
    remedy:
      'The body was parsed and printed again: verify the bytes as they were received, before any JSON parser.',
  };
}

const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** JSON.parse says whether it is JSON. What follows only keeps the texts of its values. */
function parseTree(body: Uint8Array): Node | undefined {
  const text = decodeUtf8(body)?.replace(/^\ufeff/, '');
  if (text === undefined || !/^\s*[[{]/.test(text)) return undefined;
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  const tokens = text.match(token) ?? [];
  let at = 0;
  const value = (): Node => {
    const open = tokens[at++] ?? '';
    if (open !== '{' && open !== '[') return { text: normalised(open) };
    const close = open === '{' ? '}' : ']';
    const members: (readonly [string, Node])[] = [];
    while (tokens[at] !== close) {
      if (tokens[at] === ',') at++;
      const name = open === '{' ? normalised(tokens[at] ?? '') : '';
      if (open === '{') at += 2;
      members.push([name, value()]);
    }
    at++;
    return { open, members };
  };
  return value();
}

/** A string without needless escapes. */
function normalised(text: string): string {
  return text.startsWith('"') && text.includes('\\') ? JSON.stringify(JSON.parse(text)) : text;
}

type Printing = Readonly<Required<Pick<Style, 'layout' | 'escapes'>>> & { readonly isSorted: boolean };

function print(node: Node, style: Printing, line: string): string {
  const { layout, escapes, isSorted } = style;
  if ('text' in node) return node.text.startsWith('"') ? escapes.write(node.text) : node.text;
  const { open } = node;
  const close = open === '{' ? '}' : ']';
  if (node.members.length === 0) return open + close;
  const members =
    isSorted && open === '{'
      ? node.members.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      : node.members;
  const inner = layout.indent === '' ? '' : line + layout.indent;
  const texts = members.map(([name, value]) => {
    const text = print(value, style, inner);
    return open === '{' ? `${escapes.write(name)}${layout.colon}${text}` : text;
  });
  return `${open}${inner}${texts.join(layout.comma + inner)}${inner === '' ? '' : line}${close}`;
}
