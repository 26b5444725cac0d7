/** The pages of the documentation as data: headings, links, tables and code blocks, in the order of the page. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lexer, type MarkedToken, walkTokens } from 'marked';

const root = join(import.meta.dirname, '../..');

export type Page = ReturnType<typeof read>;
export type CodeBlock = ReturnType<typeof readBlock>;

export const pages: readonly Page[] = [
  ...readdirSync(root),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => `docs/${name}`),
]
  .filter((path) => path.endsWith('.md'))
  .sort()
  .map(read);

/** @param path relative to the root of the repository: `README.md`, `docs/formats/stripe.md` */
export function page(path: string): Page {
  const found = pages.find((each) => each.path === path);
  if (found === undefined) throw new Error(`there is no page ${path}`);
  return found;
}

function read(path: string) {
  const text = readFileSync(join(root, path), 'utf8');
  const headings: string[] = [];
  const links: string[] = [];
  /** What stands in backticks. */
  const codeSpans: string[] = [];
  const blocks: CodeBlock[] = [];
  const tables: ReturnType<typeof readTable>[] = [];
  void walkTokens(lexer(text), (each) => {
    const token = each as MarkedToken;
    const heading = headings.at(-1) ?? '';
    if (token.type === 'heading') headings.push(plain(token));
    else if (token.type === 'link' || token.type === 'image') links.push(token.href);
    else if (token.type === 'codespan') codeSpans.push(token.text);
    else if (token.type === 'code') blocks.push(readBlock(heading, token.text, token.lang));
    else if (token.type === 'table') tables.push(readTable(heading, token));
  });
  return {
    path,
    text,
    links,
    codeSpans,
    blocks,
    tables,
    /** What GitHub lets a link to a heading end with. */
    anchors: headings.map(anchor).map((each, index, all) => {
      const earlier = all.slice(0, index).filter((other) => other === each).length;
      return earlier > 0 ? `${each}-${earlier}` : each;
    }),
    blocksUnder: (heading: string, language?: string) =>
      blocks.filter((each) => each.heading === heading && (language ?? each.language) === each.language),
    /** The first table under a heading that has this first column. @throws if there is none */
    table: (heading: string, firstColumn: string) => {
      const found = tables.find((each) => each.heading === heading && each.header[0] === firstColumn);
      if (found === undefined) throw new Error(`${path} has no table "${firstColumn}" under "${heading}"`);
      return found;
    },
  };
}

function readBlock(heading: string, code: string, language = '') {
  /** The name in the comment on its first line, if the block is a file. */
  const file = /^(?:#|\/\/|<\?php \/\/) ([\w./-]+\.\w+)\n/.exec(code)?.[1];
  return { heading, language, code, file };
}

type Cells = readonly { readonly text: string }[];

/** Its cells as text and, in `sources`, as they are written. */
function readTable(
  heading: string,
  { header, rows }: { readonly header: Cells; readonly rows: readonly Cells[] },
) {
  const sources = rows.map((row) => row.map(({ text }) => text));
  return { heading, header: header.map(plain), rows: rows.map((row) => row.map(plain)), sources };
}

function plain({ text }: { readonly text: string }): string {
  return text.replaceAll('`', '').replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1');
}

function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-');
}
