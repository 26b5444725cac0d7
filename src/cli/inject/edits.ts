/** Changes of a manifest as data. They are applied to its value here, and to its text in `splice.ts`. */

import { type Fields, type Path, valueAt } from './fields.ts';

export type Entries = readonly (readonly [key: string, value: unknown])[];

export type Edit =
  /** Adds fields to an object that has others. */
  | { readonly kind: 'add-entries'; readonly path: Path; readonly entries: Entries }
  /** Adds items to a list that has others. */
  | {
      readonly kind: 'add-items';
      readonly path: Path;
      readonly items: readonly unknown[];
      readonly at: 'start' | 'end';
    }
  /** Gives a value to a field that is there and empty. */
  | { readonly kind: 'fill'; readonly path: Path; readonly value: unknown }
  | { readonly kind: 'drop-entries'; readonly path: Path; readonly keys: readonly string[] }
  | { readonly kind: 'drop-items'; readonly path: Path; readonly indexes: readonly number[] }
  /** Undoes `fill`: puts the text back that stood there. */
  | { readonly kind: 'restore'; readonly path: Path; readonly text: string };

type Writable = Record<string | number, unknown>;

/** @returns a copy of the value with the changes */
export function applyEdits(value: unknown, edits: readonly Edit[]): unknown {
  const copy = deepCopy(value);
  // The deepest first: adding or removing items moves those behind them.
  for (const edit of edits.toSorted((a, b) => b.path.length - a.path.length)) applyTo(copy, edit);
  return copy;
}

function applyTo(root: unknown, edit: Edit): void {
  const target = valueAt(root, edit.path) as Writable;
  switch (edit.kind) {
    case 'add-entries':
      for (const [key, value] of edit.entries) target[key] = value;
      break;
    case 'add-items': {
      const list = target as unknown as unknown[];
      list.splice(edit.at === 'start' ? 0 : list.length, 0, ...edit.items);
      break;
    }
    case 'fill':
      parentOf(root, edit.path)[edit.path.at(-1) ?? ''] = edit.value;
      break;
    case 'drop-entries':
      for (const key of edit.keys) delete target[key];
      break;
    case 'drop-items': {
      const list = target as unknown as unknown[];
      for (const index of edit.indexes.toSorted((a, b) => b - a)) list.splice(index, 1);
      break;
    }
    case 'restore':
      parentOf(root, edit.path)[edit.path.at(-1) ?? ''] = emptyOf(edit.text);
      break;
  }
}

function parentOf(root: unknown, path: Path): Writable {
  return valueAt(root, path.slice(0, -1)) as Writable;
}

/** The value of a text that holds nothing. */
function emptyOf(text: string): unknown {
  const written = text.trim();
  if (written.startsWith('[')) return [];
  return written.startsWith('{') ? {} : null;
}

/** Aliases make two fields one object; in the copy they are two, so that a change of one is not a change of the other. */
function deepCopy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(deepCopy);
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) {
    return value;
  }
  return Object.fromEntries(Object.entries(value as Fields).map(([key, each]) => [key, deepCopy(each)]));
}
