/** Inserts and removes whole lines of the block style, in which indentation shows what belongs together. */

import { isMap, type ParsedNode, type YAMLMap, type YAMLSeq } from 'yaml';
import type { Path } from './fields.ts';
import {
  beginsLine,
  columnOf,
  type Entry,
  endOf,
  endOfEntry,
  entryAt,
  lineAfter,
  lineBreakAt,
  lineStart,
  listAt,
  mapAt,
  type Source,
  startOf,
  Unsuitable,
} from './layout.ts';
import type { BlockStyle } from './yaml-text.ts';

/** A piece of text that is replaced by another. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** Of pieces that are inserted at one place, the deepest comes first. */
  readonly depth: number;
}

const usual: BlockStyle = { step: 2, dash: 0, item: 2 };

/** How a pod is indented. */
export function blockStyle(source: Source, podPath: Path): BlockStyle {
  const pod = mapAt(source, podPath);
  if (pod.flow) return usual;
  const step =
    columnOf(source, startOfMap(pod)) - columnOf(source, startOf(entryAt(source, podPath).entry.key));
  const { list, key } = listAt(source, [...podPath, 'containers']);
  const first = list.items[0];
  if (list.flow || !isMap(first)) return { ...usual, step };
  const dashes = columnOf(source, startOf(list));
  const item = columnOf(source, startOf(first as ParsedNode)) - dashes;
  return { step, dash: dashes - columnOf(source, startOf(key)), item: item > 1 ? item : usual.item };
}

/** Where the keys of a block begin. */
export function startOfMap(map: YAMLMap.Parsed): number {
  return startOf(map.items[0]?.key ?? map);
}

export function insertedLines(
  source: Source,
  place: number,
  lines: readonly string[],
  depth: number,
): Splice {
  const lineBreak = lineBreakAt(source, place);
  const isOpenEnd = place > 0 && source.text[place - 1] !== '\n';
  const text = lines.map((line) => (isOpenEnd ? lineBreak + line : line + lineBreak)).join('');
  return { start: place, end: place, text, depth };
}

/** Removes fields of an object. */
export function removedEntries(
  source: Source,
  map: YAMLMap.Parsed,
  removed: readonly Entry[],
): readonly Splice[] {
  const splices: Splice[] = [];
  let done = 0;
  for (const [index, entry] of map.items.entries()) {
    const start = startOf(entry.key);
    if (!removed.includes(entry) || start < done) continue;
    const after = lineAfter(source, endOfEntry(entry));
    if (beginsLine(source, start)) {
      splices.push(removedLines(lineStart(source, start), after));
      continue;
    }
    // The first field stands behind the dash of its item. The next one that stays takes its place.
    const next = map.items.slice(index + 1).find((each) => !removed.includes(each));
    const last = map.items
      .slice(index)
      .findLast((each) => next !== undefined && startOf(each.key) < startOf(next.key));
    if (next === undefined || last === undefined) {
      throw new Unsuitable(start, 'this line cannot be removed; begin a new line for each field');
    }
    done = startOf(next.key);
    if (source.text.slice(lineAfter(source, endOfEntry(last)), done).trim() !== '') {
      throw new Unsuitable(done, 'a comment stands between lines to be removed; remove it');
    }
    splices.push({ start, end: done, text: '', depth: 0 });
  }
  return splices;
}

/** Removes items of a list. */
export function removedItems(
  source: Source,
  list: YAMLSeq.Parsed,
  indexes: readonly number[],
): readonly Splice[] {
  return indexes.map((index) => {
    const item = list.items[index] as ParsedNode;
    const before = source.text.slice(0, startOf(item)).trimEnd();
    const dash = before.length - 1;
    if (before[dash] !== '-' || !beginsLine(source, dash)) {
      throw new Unsuitable(startOf(item), 'this item cannot be removed; begin a new line for it');
    }
    return removedLines(lineStart(source, dash), lineAfter(source, endOf(item)));
  });
}

function removedLines(start: number, end: number): Splice {
  return { start, end, text: '', depth: 0 };
}
