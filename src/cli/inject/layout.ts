/** Finds the parts of a manifest in its text. */

import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Pair,
  type ParsedNode,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { isEmptyText, type Path } from './fields.ts';
import type { ParsedManifest } from './parse.ts';

type Map = YAMLMap.Parsed;
type List = YAMLSeq.Parsed;
export type Entry = Map['items'][number];

/** A manifest with its text. */
export interface Source {
  readonly text: string;
  readonly document: Document.Parsed<ParsedNode>;
  /** The anchors that some alias repeats. */
  readonly repeated: ReadonlySet<string>;
}

/** The text is written in a way that cannot be changed in place. The message says what to do about it. */
export class Unsuitable extends Error {
  override readonly name = 'Unsuitable';
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

export function createSource(text: string, { document }: ParsedManifest): Source {
  const repeated = new Set<string>();
  if (text.includes('*')) {
    visit(document, {
      Alias: (_, { source }) => {
        repeated.add(source);
      },
    });
  }
  return { text, document, repeated };
}

/** @throws {Unsuitable} if a change of this part would change another one, too */
function nodeAt(source: Source, path: Path): ParsedNode {
  let node: ParsedNode | null = source.document.contents;
  checkOwn(node);
  for (const step of path) {
    if (isMap(node)) node = (entryOf(node as Map, step)?.value ?? missing(node)) as ParsedNode;
    else if (isSeq(node)) node = ((node as List).items[Number(step)] ?? missing(node)) as ParsedNode;
    else return missing(node);
    checkOwn(node);
  }
  return node ?? missing(node);
}

function checkOwn(node: ParsedNode | null): void {
  if (!isAlias(node)) return;
  throw new Unsuitable(startOf(node), 'the part to change is an alias (*); write its content in its place');
}

/** Why a change of these parts could have changed others, too. */
export function repeatedPart({ document, repeated }: Source, paths: readonly Path[]): Unsuitable | undefined {
  for (const path of paths) {
    for (const length of path.keys()) {
      const node = document.getIn(path.slice(0, length + 1), true);
      if (isCollection(node) && node.anchor !== undefined && repeated.has(node.anchor)) {
        return new Unsuitable(
          node.range?.[0] ?? 0,
          'aliases (*) repeat this part elsewhere, where it must not change; write its content in their place',
        );
      }
    }
  }
  return undefined;
}

function missing(node: ParsedNode | null): never {
  throw new Unsuitable(
    startOf(node),
    'the part to change comes from a merge (<<); write its content in the place of the merge',
  );
}

function entryOf(map: Map, key: string | number): Entry | undefined {
  return map.items.find((entry) => keyText(entry) === key);
}

export function keyText({ key }: Pair): string {
  return isScalar(key) ? String(key.value) : '';
}

export function mapAt(source: Source, path: Path): Map {
  const node = nodeAt(source, path);
  return isMap(node) && node.items.length > 0 ? (node as Map) : missing(node);
}

/** A list with items, and its key. */
export function listAt(source: Source, path: Path): { readonly list: List; readonly key: ParsedNode } {
  const { entry } = entryAt(source, path);
  const list = nodeAt(source, path);
  return isSeq(list) && list.items.length > 0 ? { list: list as List, key: entry.key } : missing(list);
}

/** A field and the object that has it. */
export function entryAt(source: Source, path: Path): { readonly entry: Entry; readonly parent: Map } {
  const parent = mapAt(source, path.slice(0, -1));
  const entry = entryOf(parent, path.at(-1) ?? '');
  return entry === undefined ? missing(parent) : { entry, parent };
}

export function startOf(node: ParsedNode | null): number {
  return node?.range[0] ?? 0;
}

/** Where the content ends, without the comments and blank lines behind it. */
export function endOf(node: ParsedNode): number {
  if (!isCollection(node) || node.flow) return node.range[1];
  const last = node.items.at(-1);
  if (last === undefined) return node.range[1];
  return isNode(last) ? endOf(last as ParsedNode) : endOfEntry(last as Entry);
}

export function endOfEntry({ key, value }: Entry): number {
  return endOf(value ?? key);
}

/** Behind the colon of a field. */
export function colonOf({ text }: Source, { key }: Entry): number {
  const colon = /^[ \t]*:/.exec(text.slice(key.range[1], key.range[1] + 64));
  if (colon === null)
    throw new Unsuitable(startOf(key), 'the colon is not in the line of its key; move it there');
  return key.range[1] + colon[0].length;
}

/** The text of a field that holds nothing, behind its colon. */
export function emptyRange(source: Source, entry: Entry): readonly [start: number, end: number] {
  const start = colonOf(source, entry);
  // The space before a comment belongs to the comment.
  const written = source.text.slice(start, entry.value === null ? start : endOf(entry.value)).trimEnd();
  const end = start + written.length;
  if (isEmptyText(written)) return [start, end];
  throw new Unsuitable(startOf(entry.key), 'this field is empty, but not written as [] or {}; remove it');
}

export function lineStart({ text }: Source, offset: number): number {
  return text.lastIndexOf('\n', offset - 1) + 1;
}

/** Behind the line break of the line; the end of the text if it has none. */
export function lineEnd({ text }: Source, offset: number): number {
  const end = text.indexOf('\n', offset);
  return end === -1 ? text.length : end + 1;
}

/** Where the first line behind a content begins, which ends here. */
export function lineAfter(source: Source, end: number): number {
  return source.text[end - 1] === '\n' ? end : lineEnd(source, end);
}

export function columnOf(source: Source, offset: number): number {
  const start = lineStart(source, offset);
  return offset - start - (source.text[start] === '\uFEFF' ? 1 : 0);
}

/** Whether only spaces are before it in its line. */
export function beginsLine(source: Source, offset: number): boolean {
  return /^\uFEFF? *$/.test(source.text.slice(lineStart(source, offset), offset));
}

/** The line break that the lines before this place have. */
export function lineBreakAt({ text }: Source, offset: number): string {
  const before = text.lastIndexOf('\n', offset - 1);
  const found = before === -1 ? text.indexOf('\n') : before;
  return text[found - 1] === '\r' ? '\r\n' : '\n';
}
