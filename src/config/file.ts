/**
 * The configuration file: YAML to the settings of each key set. Reports every problem at once, each with its path and
 * line, and never a value, since somebody may have pasted a key into the wrong file.
 */

import { closest, distance } from 'fastest-levenshtein';
import { type Document, isMap, isNode, isScalar, LineCounter, type Pair, parseDocument, visit } from 'yaml';
import { fieldsAt, shapeProblems } from '../api/schema.ts';
import { type FormatDefinition, formats } from '../formats/index.ts';
import { ok, type Result, refused } from '../key-sets/result.ts';
import {
  type ConfigurationFile,
  fileOf,
  isKeySetName,
  type KeySettings,
  keySetNameRule,
} from '../key-sets/settings.ts';
import { settingsOf } from './defaults.ts';
import { conflictsOf, fieldOf, type KeySetFields, shapeOf, variablePattern } from './fields.ts';

/** More than 1,024 key sets with every field need; it bounds for how long requests wait while YAML is parsed. */
export const maxConfigurationBytes = 256 * 1024;
/** YAML 1.2, with names as they are written, and nothing of YAML 1.1 even if a directive asks for it. */
const yamlOptions = {
  schema: 'core',
  merge: false,
  resolveKnownTags: false,
  stringKeys: true,
  prettyErrors: false,
} as const;

/** @returns the configuration with warnings of what had to be left out, or everything that is wrong with it */
export function parseConfiguration(text: string): Result<ConfigurationFile> {
  if (Buffer.byteLength(text) > maxConfigurationBytes) {
    return refused(`the file is over ${maxConfigurationBytes} bytes; is it the right one?`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { ...yamlOptions, lineCounter: lines });
  const lineAt = (offset: number | undefined) =>
    offset === undefined ? '' : ` (line ${lines.linePos(offset).line})`;
  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) {
    // A parser that has lost its way says the same many times.
    return refused(...new Set(broken.map(({ code, pos }) => `${yamlProblem(code)}${lineAt(pos[0])}`)));
  }
  const problems: string[] = [];
  visit(document, {
    Alias: (_, { range }) => {
      problems.push(`an alias (*) cannot be used here; write the value out${lineAt(range?.[0])}`);
    },
  });
  if (problems.length > 0) return refused(...new Set(problems));
  const warnings: string[] = [];
  const settings = new Map<string, KeySettings>();
  for (const { name, pair } of keySetsOf(document, lineAt, problems)) {
    const value = (isNode(pair.value) ? pair.value.toJS(document) : undefined) ?? {};
    const parsed = parseKeySet(name, value, (path) => lineAt(offsetOf(document, pair, path)));
    if (!parsed.ok) problems.push(...parsed.problems);
    else if (typeof parsed.value === 'string') warnings.push(parsed.value);
    else settings.set(name, parsed.value);
  }
  if (problems.length === 0 && settings.size === 0) problems.push('keys: no key set is left', ...warnings);
  if (problems.length > 0) return refused(...new Set(problems));
  const files = new Set([...settings.values()].flatMap(({ source }) => fileOf(source) ?? []));
  return ok({ configuration: { files, keySets: () => settings }, warnings });
}

/** The entries of `keys`, by their names. */
function keySetsOf(
  document: Document,
  lineAt: (offset: number | undefined) => string,
  problems: string[],
): { name: string; pair: Pair }[] {
  const top = document.contents;
  if (!isMap(top)) {
    problems.push('the file must hold the field "keys" with the key sets by name');
    return [];
  }
  for (const { key } of top.items) {
    if (scalarText(key) !== 'keys') {
      const line = lineAt(isNode(key) ? key.range?.[0] : undefined);
      problems.push(`${unknownField([], scalarText(key), ['keys'])}${line}`);
    }
  }
  const keys = top.get('keys');
  if (!isMap(keys) || keys.items.length === 0) {
    problems.push('keys: must name at least one key set');
    return [];
  }
  return keys.items.flatMap((pair) => {
    const name = scalarText(pair.key);
    if (isKeySetName(name)) return [{ name, pair }];
    const line = lineAt(isNode(pair.key) ? pair.key.range?.[0] : undefined);
    problems.push(`keys: not a usable name; use ${keySetNameRule}${line}`);
    return [];
  });
}

/** @returns the key set's settings, or a warning that it is left out */
function parseKeySet(
  name: string,
  value: unknown,
  lineOf: (path: readonly PropertyKey[]) => string,
): Result<KeySettings | string> {
  const known = formats.get(String(fieldOf(value, 'format') ?? 'raw'));
  const schema = shapeOf(known);
  const parsed = schema.safeParse(value);
  const at = ['keys', name];
  const problems: string[] = [];
  const refuse = (field: keyof KeySetFields, what: string) =>
    problems.push(`${[...at, field].join('.')}: ${what}${lineOf([field])}`);
  for (const [field, what] of conflictsOf(value)) refuse(field, what);
  if (!parsed.success) {
    const found = shapeProblems(schema, parsed.error).map(({ path, message, unknown }) => {
      const place = [...at, ...path];
      if (unknown === undefined) return `${place.join('.')}: ${message}${lineOf(path)}`;
      const { field, fields } = unknown;
      const elsewhere = path.length === 0 ? belongsTo(place, field, known) : undefined;
      return `${elsewhere ?? unknownField(place, field, fields)}${lineOf([...path, field])}`;
    });
    return refused(...found, ...problems);
  }
  const fields = parsed.data;
  const settings = settingsOf(name, known, fields);
  const { algorithms, name: format } = settings.format;
  if (fields.algorithm !== undefined && !algorithms.includes(fields.algorithm)) {
    refuse('algorithm', `must be one of ${algorithms.join(', ')} with the format ${format}`);
  }
  if (problems.length > 0) return refused(...problems);
  if (fields.env !== undefined && !variablePattern.test(fields.env)) {
    return ok(
      `keys.${name}.env: not a name that a variable can have, so this key set is left out${lineOf(['env'])}`,
    );
  }
  return ok(settings);
}

/** What to say of a field that stands too high, or that another format has. */
function belongsTo(
  path: readonly PropertyKey[],
  field: string,
  format: FormatDefinition | undefined,
): string | undefined {
  if (format === undefined) return undefined;
  const at = [...path, field].join('.');
  const { [format.name]: options } = format.fields;
  if (options !== undefined && fieldsAt(options, []).includes(field)) {
    return `${at}: belongs under "${format.name}:"`;
  }
  const owner = [...formats.values()].find(({ fields }) => Object.hasOwn(fields, field));
  if (owner === undefined) return undefined;
  return `${at}: belongs to "format: ${owner.name}"; this key set has the format ${format.name}`;
}

function unknownField(path: readonly PropertyKey[], field: string, fields: readonly string[]): string {
  const near = closest(field, [...fields]);
  const isNear = near !== undefined && distance(field, near) <= Math.max(2, field.length / 3);
  const advice = isNear ? `did you mean "${near}"?` : `the fields here are: ${fields.join(', ')}`;
  // What is not made of words is no typing error, and might be a key in the wrong place.
  const at = /^(?:[A-Z]?[a-z]|[-_]){1,32}$/.test(field) ? [...path, field] : path;
  return `${at.length === 0 ? '' : `${at.join('.')}: `}unknown field; ${advice}`;
}

function scalarText(node: unknown): string {
  return isScalar(node) ? String(node.value) : '';
}

/** Where the deepest part of a path that the file has begins. */
function offsetOf(document: Document, pair: Pair, path: readonly PropertyKey[]): number | undefined {
  const base = ['keys', scalarText(pair.key)];
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn([...base, ...path.slice(0, length)], true);
    if (isNode(node)) return node.range?.[0];
  }
  return isScalar(pair.key) ? pair.key.range?.[0] : undefined;
}

function yamlProblem(code: string): string {
  switch (code) {
    case 'DUPLICATE_KEY':
      return 'a field stands twice in the same place; remove one of them';
    case 'TAB_AS_INDENT':
      return 'indent with spaces, not with tabs';
    case 'NON_STRING_KEY':
      return 'a field must have a name, not a list or an object';
    case 'MULTIPLE_DOCS':
      return 'the file must be one YAML document';
    default:
      return `not valid YAML: ${code.toLowerCase().replaceAll('_', ' ')}`;
  }
}
