/** The pages of the documentation as data: headings, links, tables and code blocks, in the order of the page. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lexer, type Token, type Tokens, walkTokens } from 'marked';

const root = join(import.meta.dirname, '../..');

export interface Table {
  readonly heading: string;
  readonly header: readonly string[];
  /** Cells as text, without backticks and with the text of links alone. */
  readonly rows: readonly (readonly string[])[];
  /** Cells as they are written. */
  readonly sources: readonly (readonly string[])[];
}

export interface CodeBlock {
  readonly heading: string;
  readonly language: string;
  readonly code: string;
  /** The name in the comment on its first line, if the block is a file. */
  readonly file: string | undefined;
}

export interface Page {
  /** Relative to the root of the repository. */
  readonly path: string;
  readonly text: string;
  readonly headings: readonly string[];
  /** What GitHub lets a link to a heading end with. */
  readonly anchors: readonly string[];
  /** Where links and images lead, as written. */
  readonly links: readonly string[];
  /** What stands in backticks in running text and in tables. */
  readonly codeSpans: readonly string[];
  readonly blocks: readonly CodeBlock[];
  readonly tables: readonly Table[];
  /** The blocks under a heading, of one language if it is given. */
  blocksUnder(heading: string, language?: string): readonly CodeBlock[];
  /** The first table under a heading that has this first column. @throws if there is none */
  table(heading: string, firstColumn: string): Table;
}

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

function read(path: string): Page {
  const text = readFileSync(join(root, path), 'utf8');
  const headings: string[] = [];
  const links: string[] = [];
  const codeSpans: string[] = [];
  const blocks: CodeBlock[] = [];
  const tables: Table[] = [];
  const visit = (token: Token) => {
    const heading = headings.at(-1) ?? '';
    if (isOf('heading', token)) headings.push(plain(token));
    else if (isOf('link', token) || isOf('image', token)) links.push(token.href);
    else if (isOf('codespan', token)) codeSpans.push(token.text);
    else if (isOf('code', token)) {
      const file = /^(?:#|\/\/|<\?php \/\/) ([\w./-]+\.\w+)\n/.exec(token.text)?.[1];
      blocks.push({ heading, language: token.lang ?? '', code: token.text, file });
    } else if (isOf('table', token)) {
      const rows = token.rows.map((row) => row.map(plain));
      const sources = token.rows.map((row) => row.map((cell) => cell.text));
      tables.push({ heading, header: token.header.map(plain), rows, sources });
    }
  };
  void walkTokens(lexer(text), visit);
  return {
    path,
    text,
    headings,
    anchors: headings.map((heading, index) => {
      const anchor = (each: string) =>
        each
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
          .replaceAll(' ', '-');
      const earlier = headings.slice(0, index).filter((each) => anchor(each) === anchor(heading)).length;
      return anchor(heading) + (earlier > 0 ? `-${earlier}` : '');
    }),
    links,
    codeSpans,
    blocks,
    tables,
    blocksUnder: (heading, language) =>
      blocks.filter(
        (each) => each.heading === heading && (language === undefined || each.language === language),
      ),
    table: (heading, firstColumn) => {
      const found = tables.find((each) => each.heading === heading && each.header[0] === firstColumn);
      if (found === undefined) throw new Error(`${path} has no table "${firstColumn}" under "${heading}"`);
      return found;
    },
  };
}

interface Kinds {
  readonly heading: Tokens.Heading;
  readonly link: Tokens.Link;
  readonly image: Tokens.Image;
  readonly codespan: Tokens.Codespan;
  readonly code: Tokens.Code;
  readonly table: Tokens.Table;
}

function isOf<K extends keyof Kinds>(kind: K, token: Token): token is Kinds[K] {
  return token.type === kind;
}

function plain({ text }: { readonly text: string }): string {
  return text.replaceAll('`', '').replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1');
}
