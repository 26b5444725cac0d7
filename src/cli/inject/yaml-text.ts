/** Writes values as YAML text in the style of the text around them. */

import { type Fields, isFields } from './fields.ts';

/** How a manifest indents. */
export interface BlockStyle {
  /** Of an object under its key. */
  readonly step: number;
  /** Of the dash of a list under its key: often 0. */
  readonly dash: number;
  /** Of an item behind its dash. */
  readonly item: number;
}

/** How a `{…}` or `[…]` is written. */
export interface FlowStyle {
  readonly isJson: boolean;
  /** JSON without any space. */
  readonly isCompact: boolean;
  /** The column of the items, if each has a line of its own. */
  readonly column?: number;
  /** By how much nested items are indented more. */
  readonly step: number;
}

/** The lines of the fields of an object, whose keys begin at this column. */
export function blockEntries(
  entries: readonly (readonly [string, unknown])[],
  column: number,
  style: BlockStyle,
): readonly string[] {
  const indent = ' '.repeat(column);
  return entries.flatMap(([key, value]) => {
    if (Array.isArray(value) && value.length > 0) {
      return [`${indent}${scalar(key)}:`, ...blockItems(value, column + style.dash, style)];
    }
    if (isFields(value) && Object.keys(value).length > 0) {
      return [`${indent}${scalar(key)}:`, ...blockEntries(Object.entries(value), column + style.step, style)];
    }
    return [`${indent}${scalar(key)}: ${inline(value, false, false)}`];
  });
}

/** The lines of the items of a list, whose dashes are at this column. */
export function blockItems(items: readonly unknown[], column: number, style: BlockStyle): readonly string[] {
  return items.flatMap((item) =>
    isFields(item) ? knownLines(item, column, style) : blockItem(item, column, style),
  );
}

/** Most manifests of a stream get the same container in the same style. */
const known = new WeakMap<Fields, Map<string, readonly string[]>>();

function knownLines(item: Fields, column: number, style: BlockStyle): readonly string[] {
  const ofItem = known.get(item) ?? new Map<string, readonly string[]>();
  const key = [column, style.step, style.dash, style.item].join();
  const lines = ofItem.get(key) ?? blockItem(item, column, style);
  known.set(item, ofItem.set(key, lines));
  return lines;
}

function blockItem(item: unknown, column: number, style: BlockStyle): readonly string[] {
  const dash = `${' '.repeat(column)}-${' '.repeat(style.item - 1)}`;
  if (!isFields(item)) return [`${dash}${inline(item, false, false)}`];
  const [first = '', ...rest] = blockEntries(Object.entries(item), column + style.item, style);
  return [dash + first.slice(column + style.item), ...rest];
}

/** A value inside of a `{…}` or `[…]`. */
export function flowValue(
  value: unknown,
  { isJson, isCompact, column, step }: FlowStyle,
  eol: string,
): string {
  if (column === undefined) return inline(value, isJson, isCompact);
  const lines = JSON.stringify(value, null, step).split('\n');
  return lines.join(eol + ' '.repeat(column));
}

export function flowKey(key: string, { isJson, isCompact }: FlowStyle): string {
  return `${isJson ? JSON.stringify(key) : scalar(key)}:${isCompact ? '' : ' '}`;
}

function inline(value: unknown, isJson: boolean, isCompact: boolean): string {
  const space = isCompact ? '' : ' ';
  const braces = isJson ? '' : ' ';
  if (Array.isArray(value)) {
    return `[${value.map((each) => inline(each, isJson, isCompact)).join(`,${space}`)}]`;
  }
  if (isFields(value)) {
    const entries = Object.entries(value).map(
      ([key, each]) =>
        `${isJson ? JSON.stringify(key) : scalar(key)}:${space}${inline(each, isJson, isCompact)}`,
    );
    return entries.length === 0 ? '{}' : `{${braces}${entries.join(`,${space}`)}${braces}}`;
  }
  return isJson ? JSON.stringify(value) : scalar(value);
}

/** Without quotes only where every parser of YAML reads the same text, in a list and on a line of its own. */
const plain = /^(?:[A-Za-z/][A-Za-z0-9_./@-]*(?::[A-Za-z0-9_./@-]+)*|[0-9]+(?:[KMG]i|m))$/;
/** In YAML 1.1 these are no strings. */
const words = /^(?:y|n|yes|no|on|off|true|false|null)$/i;

function scalar(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  if (plain.test(value) && !words.test(value)) return value;
  // An apostrophe quotes JSON without a backslash before each of its quotes.
  return /^[\x20-\x26\x28-\x7e]*"[\x20-\x26\x28-\x7e]*$/.test(value) ? `'${value}'` : JSON.stringify(value);
}
