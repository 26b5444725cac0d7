/** The README as data: its tables and its code blocks, by the heading they stand under. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lexer, type Tokens } from 'marked';

const text = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
export const tokens = lexer(text);

export interface Table {
  readonly heading: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface CodeBlock {
  readonly heading: string;
  readonly language: string;
  readonly code: string;
}

export const headings: readonly string[] = tokens.filter(isHeading).map((token) => token.text);
export const tables: readonly Table[] = underHeadings((token, heading) =>
  isTable(token)
    ? [{ heading, header: token.header.map(plain), rows: token.rows.map((row) => row.map(plain)) }]
    : [],
);
export const codeBlocks: readonly CodeBlock[] = underHeadings((token, heading) =>
  isCode(token) ? [{ heading, language: token.lang ?? '', code: token.text }] : [],
);

/** The first table under a heading that has this first column. */
export function table(heading: string, firstColumn: string): Table {
  const found = tables.find((each) => each.heading === heading && each.header[0] === firstColumn);
  if (found === undefined) throw new Error(`the README has no table "${firstColumn}" under "${heading}"`);
  return found;
}

function underHeadings<T>(pick: (token: Tokens.Generic, heading: string) => readonly T[]): readonly T[] {
  let heading = '';
  return tokens.flatMap((token) => {
    if (isHeading(token)) heading = token.text;
    return pick(token, heading);
  });
}

function plain(cell: Tokens.TableCell): string {
  return cell.text.replaceAll('`', '');
}

function isHeading(token: Tokens.Generic): token is Tokens.Heading {
  return token.type === 'heading';
}

function isTable(token: Tokens.Generic): token is Tokens.Table {
  return token.type === 'table';
}

function isCode(token: Tokens.Generic): token is Tokens.Code {
  return token.type === 'code';
}
