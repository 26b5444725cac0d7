/** Inserts and removes parts of the flow style, `{…}` and `[…]`, which JSON is written in too. */

import { isCollection, type ParsedNode, type YAMLMap, type YAMLSeq } from 'yaml';
import type { Splice } from './block-splices.ts';
import {
  beginsLine,
  columnOf,
  type Entry,
  endOf,
  endOfEntry,
  lineBreakAt,
  type Source,
  startOf,
} from './layout.ts';
import type { FlowStyle } from './yaml-text.ts';

type Flow = YAMLMap.Parsed | YAMLSeq.Parsed;

export function flowStyle(source: Source, flow: Flow): FlowStyle {
  const { text, document } = source;
  const json = /^\{\s*"(?:[^"\\]|\\.)*":( ?)/.exec(
    text.slice(startOf(document.contents), startOf(document.contents) + 400),
  );
  const isJson = json !== null && isCollection(document.contents) && document.contents.flow === true;
  const [first] = rangesOf(flow);
  if (first === undefined || !beginsLine(source, first[0])) {
    return { isJson, isCompact: isJson && json?.[1] === '', step: 2 };
  }
  const column = columnOf(source, first[0]);
  const line = text.slice(0, startOf(flow)).split('\n').at(-1) ?? '';
  const outer = /^\uFEFF? */.exec(line)?.[0].length ?? 0;
  return { isJson, isCompact: false, column, step: column > outer ? column - outer : 2 };
}

/** Behind the last item. */
export function insertedLast(source: Source, flow: Flow, texts: readonly string[], style: FlowStyle): Splice {
  const place = rangesOf(flow).at(-1)?.[1] ?? 0;
  const text = texts.map((each) => `,${separator(source, style)}${each}`).join('');
  return { start: place, end: place, text, depth: 0 };
}

/** Before the first item. */
export function insertedFirst(
  source: Source,
  flow: Flow,
  texts: readonly string[],
  style: FlowStyle,
): Splice {
  const place = rangesOf(flow)[0]?.[0] ?? 0;
  const text = texts.map((each) => `${each},${separator(source, style)}`).join('');
  return { start: place, end: place, text, depth: 0 };
}

function separator(source: Source, { column, isCompact }: FlowStyle): string {
  if (column !== undefined) return lineBreakAt(source, source.text.length) + ' '.repeat(column);
  return isCompact ? '' : ' ';
}

/** Removes some of several items, with the comma that each needs. */
export function removedParts(flow: Flow, isRemoved: (index: number) => boolean): readonly Splice[] {
  const ranges = rangesOf(flow);
  return ranges.flatMap(([start, end], index) => {
    if (!isRemoved(index)) return [];
    const isAfterKept = ranges.slice(0, index).some((_, before) => !isRemoved(before));
    const from = isAfterKept ? (ranges[index - 1]?.[1] ?? start) : start;
    const to = isAfterKept ? end : (ranges[index + 1]?.[0] ?? end);
    return [{ start: from, end: to, text: '', depth: 0 }];
  });
}

function rangesOf(flow: Flow): readonly (readonly [start: number, end: number])[] {
  return (flow.items as (ParsedNode | Entry)[]).map((item) =>
    'key' in item ? [startOf(item.key), endOfEntry(item)] : [startOf(item), endOf(item)],
  );
}
