/** Changes the text of a manifest by inserting and removing parts of it. All else stays as it is, byte for byte. */

import { isCollection, isSeq, type YAMLMap, type YAMLSeq } from 'yaml';
import { insertedLines, removedEntries, removedItems, type Splice, startOfMap } from './block-splices.ts';
import type { Edit, Entries } from './edits.ts';
import type { Path } from './fields.ts';
import { flowStyle, insertedFirst, insertedLast, removedParts } from './flow-splices.ts';
import {
  colonOf,
  columnOf,
  emptyRange,
  endOf,
  entryAt,
  keyText,
  lineAfter,
  lineBreakAt,
  lineEnd,
  listAt,
  mapAt,
  type Source,
  startOf,
  Unsuitable,
} from './layout.ts';
import { type BlockStyle, blockEntries, blockItems, flowKey, flowValue } from './yaml-text.ts';

/** A change, and how new lines of it are indented. */
export interface StyledEdit {
  readonly edit: Edit;
  readonly style: BlockStyle;
}

/** @throws {Unsuitable} where the text is written in a way that cannot be changed in place */
export function spliceText(source: Source, edits: readonly StyledEdit[]): string {
  const splices = edits.flatMap(({ edit, style }) => splicesOf(source, edit, style));
  const ordered = splices.toSorted((a, b) => a.start - b.start || b.depth - a.depth);
  const kept: string[] = [];
  let position = 0;
  for (const { start, end, text } of ordered) {
    if (start < position) throw new Unsuitable(start, 'two changes meet in this place');
    kept.push(source.text.slice(position, start), text);
    position = end;
  }
  const isCutAtEnd =
    position === source.text.length && ordered.at(-1)?.text === '' && !source.text.endsWith('\n');
  const result = kept.join('') + source.text.slice(position);
  // A text without a final line break has none either after its last lines were removed.
  return isCutAtEnd ? result.replace(/\r?\n$/, '') : result;
}

function splicesOf(source: Source, edit: Edit, style: BlockStyle): readonly Splice[] {
  switch (edit.kind) {
    case 'add-entries':
      return [addEntries(source, edit.path, edit.entries, style)];
    case 'add-items':
      return [addItems(source, edit, style)];
    case 'fill':
      return fill(source, edit.path, edit.value, style);
    case 'drop-entries':
      return dropEntries(source, edit.path, edit.keys);
    case 'drop-items':
      return dropItems(source, edit.path, edit.indexes);
    case 'restore':
      return restore(source, edit.path, edit.text);
  }
}

function addEntries(source: Source, path: Path, entries: Entries, style: BlockStyle): Splice {
  const map = mapAt(source, path);
  if (!map.flow) {
    const lines = blockEntries(entries, columnOf(source, startOfMap(map)), style);
    return insertedLines(source, lineAfter(source, endOf(map)), lines, path.length + 1);
  }
  const flow = flowStyle(source, map);
  const lineBreak = lineBreakAt(source, source.text.length);
  const texts = entries.map(([key, value]) => flowKey(key, flow) + flowValue(value, flow, lineBreak));
  return insertedLast(source, map, texts, flow);
}

function addItems(
  source: Source,
  { path, items, at }: Extract<Edit, { kind: 'add-items' }>,
  style: BlockStyle,
): Splice {
  const { list, key } = listAt(source, path);
  if (!list.flow) {
    const lines = blockItems(items, columnOf(source, startOf(list)), style);
    const place = at === 'end' ? lineAfter(source, endOf(list)) : lineEnd(source, endOf(key));
    return insertedLines(source, place, lines, path.length + 1);
  }
  const flow = flowStyle(source, list);
  const lineBreak = lineBreakAt(source, source.text.length);
  const texts = items.map((item) => flowValue(item, flow, lineBreak));
  return (at === 'end' ? insertedLast : insertedFirst)(source, list, texts, flow);
}

function fill(source: Source, path: Path, value: unknown, style: BlockStyle): readonly Splice[] {
  const { entry, parent } = entryAt(source, path);
  const [start, end] = emptyRange(source, entry);
  const depth = path.length + 1;
  if (parent.flow || typeof value !== 'object') {
    const flow = flowStyle(source, parent);
    const text = flowValue(value, flow, lineBreakAt(source, source.text.length));
    return [{ start, end, text: flow.isCompact ? text : ` ${text}`, depth }];
  }
  const column = columnOf(source, startOf(entry.key));
  const lines = Array.isArray(value)
    ? blockItems(value, column + style.dash, style)
    : blockEntries(Object.entries(value as object), column + style.step, style);
  const added = insertedLines(source, lineEnd(source, end), lines, depth);
  return start === end ? [added] : [{ start, end, text: '', depth }, added];
}

/** The opposite of `fill`. */
function restore(source: Source, path: Path, text: string): readonly Splice[] {
  const { entry, parent } = entryAt(source, path);
  const { value } = entry;
  if (value === null) throw new Unsuitable(startOf(entry.key), 'this field is not as inject left it');
  const colon = colonOf(source, entry);
  if (parent.flow || !isCollection(value) || value.flow) {
    const isCompact = parent.flow === true && flowStyle(source, parent).isCompact;
    const written = text.trim() === '' && parent.flow ? ' null' : text;
    return [{ start: colon, end: endOf(value), text: isCompact ? written.trim() : written, depth: 0 }];
  }
  const lines = isSeq(value)
    ? removedItems(source, value as YAMLSeq.Parsed, [...value.items.keys()])
    : removedEntries(source, value as YAMLMap.Parsed, (value as YAMLMap.Parsed).items);
  return text === '' ? lines : [{ start: colon, end: colon, text, depth: 0 }, ...lines];
}

function dropEntries(source: Source, path: Path, keys: readonly string[]): readonly Splice[] {
  const map = mapAt(source, path);
  const dropped = map.items.filter((entry) => keys.includes(keyText(entry)));
  if (dropped.length !== keys.length) {
    throw new Unsuitable(startOf(map), 'a field to remove comes from a merge (<<); write it out');
  }
  if (!map.flow) return removedEntries(source, map, dropped);
  return removedParts(map, (index) => dropped.some((entry) => entry === map.items[index]));
}

function dropItems(source: Source, path: Path, indexes: readonly number[]): readonly Splice[] {
  const { list } = listAt(source, path);
  return list.flow
    ? removedParts(list, (index) => indexes.includes(index))
    : removedItems(source, list, indexes);
}
