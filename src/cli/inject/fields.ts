/** Reads manifests, whose shape is not known: a wrong type counts as absent. */

export type Fields = Readonly<Record<string, unknown>>;
export type Path = readonly (string | number)[];

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

/** The objects of a list. */
export function listOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : [];
}

/** The strings of a list. */
export function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** What lies at a path; undefined if there is nothing. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (found, step) =>
      typeof found === 'object' && found !== null && Object.hasOwn(found, step)
        ? (found as Record<string | number, unknown>)[step]
        : undefined,
    value,
  );
}

/** Whether a field holds nothing: null, or an empty list or object. */
export function isEmpty(value: unknown): boolean {
  return value === null || (typeof value === 'object' && Object.keys(value).length === 0);
}

/**
 * Whether a field with this text behind its colon holds nothing: no text, `null`, `[]` or `{}`. It may stand on the next
 * line, where Helm's `nindent` puts it.
 */
export function isEmptyText(text: string): boolean {
  return /^\s*(?:null|~|\[\s*\]|\{\s*\})?$/i.test(text);
}
