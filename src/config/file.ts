/**
 * Parses the configuration file: from YAML to the settings of each key set. Reports every problem at once, with its
 * path and line. No message contains a value, because it could be a key that was pasted into the wrong file.
 */

import { closest, distance } from 'fastest-levenshtein';
import { type Document, isMap, isNode, isScalar, LineCounter, type Pair, parseDocument, visit } from 'yaml';
import { fieldsAt, isMissing, shapeProblems } from '../api/schema.ts';
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
import { conflictsOf, fieldOf, neededFields, shapeOf, variablePattern } from './fields.ts';

/** Enough for 1,024 key sets with every field. Requests wait while YAML is parsed; this limit keeps the wait short. */
export const maxConfigurationBytes = 256 * 1024;

/** YAML 1.2 with names as they are written. Features of YAML 1.1 stay off even if a directive asks for them. */
const yamlOptions = {
  schema: 'core',
  merge: false,
  resolveKnownTags: false,
  stringKeys: true,
  prettyErrors: false,
} as const;

/** @returns where a node of the document begins, for the end of a message */
type LineOf = (node: unknown) => string;

/** @returns the configuration with warnings about what was left out, or everything that is wrong with it */
export function parseConfiguration(text: string): Result<ConfigurationFile> {
  if (Buffer.byteLength(text) > maxConfigurationBytes) {
    return refused(`the file has more than ${maxConfigurationBytes} bytes; check that it is the right one`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { ...yamlOptions, lineCounter: lines });
  const lineAt = (offset: number) => ` (line ${lines.linePos(offset).line})`;
  const lineOf: LineOf = (node) => (isNode(node) && node.range ? lineAt(node.range[0]) : '');
  const errors = [...document.errors, ...document.warnings];
  // The parser may report one mistake many times.
  if (errors.length > 0) {
    return refused(...new Set(errors.map(({ code, pos }) => `${yamlProblem(code)}${lineAt(pos[0])}`)));
  }
  const problems: string[] = [];
  visit(document, {
    Alias: (_, alias) => {
      problems.push(`an alias (*) cannot be used here; write the value out${lineOf(alias)}`);
    },
  });
  if (problems.length > 0) return refused(...new Set(problems));
  const warnings: string[] = [];
  const settings = new Map<string, KeySettings>();
  for (const { name, pair } of keySetsOf(document, lineOf, problems)) {
    const value = (isNode(pair.value) ? pair.value.toJS(document) : undefined) ?? {};
    const parsed = parseKeySet(name, value, (path) => lineOf(nodeAt(document, pair, path)));
    if (!parsed.ok) problems.push(...parsed.problems);
    else if (typeof parsed.value === 'string') warnings.push(parsed.value);
    else settings.set(name, parsed.value);
  }
  if (problems.length === 0 && settings.size === 0) problems.push('keys: no key set is left', ...warnings);
  if (problems.length > 0) return refused(...new Set(problems));
  const files = new Set([...settings.values()].flatMap(({ source }) => fileOf(source) ?? []));
  return ok({ configuration: { files, keySets: () => settings }, warnings });
}

/** The entries of `keys` that have a valid name. */
function keySetsOf(
  document: Document,
  lineOf: LineOf,
  problems: string[],
): readonly { name: string; pair: Pair }[] {
  const top = document.contents;
  if (!isMap(top)) {
    problems.push('the file must have the field "keys", with an entry for each key set');
    return [];
  }
  for (const { key } of top.items) {
    const field = scalarText(key);
    if (field !== 'keys') problems.push(`${unknownField([], field, ['keys'])}${lineOf(key)}`);
  }
  const keys = top.get('keys');
  if (!isMap(keys) || keys.items.length === 0) {
    problems.push('keys: must name at least one key set');
    return [];
  }
  return keys.items.flatMap((pair) => {
    const name = scalarText(pair.key);
    if (isKeySetName(name)) return [{ name, pair }];
    problems.push(`keys: not a usable name; use ${keySetNameRule}${lineOf(pair.key)}`);
    return [];
  });
}

/** @returns the settings, or a warning that the key set is left out */
function parseKeySet(
  name: string,
  value: unknown,
  lineOf: (path: readonly PropertyKey[]) => string,
): Result<KeySettings | string> {
  const format = formats.get(String(fieldOf(value, 'format') ?? 'raw'));
  const shape = shapeOf(format);
  const parsed = shape.safeParse(value);
  const problem = (path: readonly PropertyKey[], message: string) =>
    `${['keys', name, ...path].join('.')}: ${message}${lineOf(path)}`;
  const needed = ([field, ...inner]: readonly PropertyKey[], message: string) => {
    const fields = inner.length === 0 ? neededFields(shape, String(field)) : [];
    return fields.length === 0 ? message : `needs ${fields.join(', ').replace(/, ([^,]*)$/, ' and $1')}`;
  };
  const problems = conflictsOf(value).map(([field, message]) => problem([field], message));
  if (!parsed.success) {
    const found = shapeProblems(shape, parsed.error).map(({ path, message, unknown }) => {
      if (unknown === undefined) {
        return problem(path, isMissing(value, path) ? `is missing; it ${needed(path, message)}` : message);
      }
      const { field, fields } = unknown;
      const owner = path.length === 0 ? format && ownerOf(field, format) : undefined;
      if (owner !== undefined) return problem([field], owner);
      return `${unknownField(['keys', name, ...path], field, fields)}${lineOf([...path, field])}`;
    });
    return refused(...found, ...problems);
  }
  const settings = settingsOf(name, format, parsed.data);
  const { algorithm, env } = parsed.data;
  const { algorithms } = settings.format;
  if (algorithm !== undefined && !algorithms.includes(algorithm)) {
    const message = `must be one of ${algorithms.join(', ')} with the format ${settings.format.name}`;
    problems.push(problem(['algorithm'], message));
  }
  if (problems.length > 0) return refused(...problems);
  if (env === undefined || variablePattern.test(env)) return ok(settings);
  return ok(problem(['env'], 'is not a name that a variable can have, so this key set is left out'));
}

/** What to say about a field that is in the wrong place, or that is for another format. */
function ownerOf(field: string, format: FormatDefinition): string | undefined {
  const { [format.name]: options } = format.fields;
  if (options !== undefined && fieldsAt(options, []).includes(field)) {
    return `belongs under "${format.name}:"`;
  }
  const owner = [...formats.values()].find(({ fields }) => Object.hasOwn(fields, field));
  return owner && `is only for the format ${owner.name}; this key set has the format ${format.name}`;
}

function unknownField(path: readonly PropertyKey[], field: string, fields: readonly string[]): string {
  const near = closest(field, [...fields]);
  const isNear = near !== undefined && distance(field, near) <= Math.max(2, field.length / 3);
  const advice = isNear ? `did you mean "${near}"?` : `the fields here are: ${fields.join(', ')}`;
  // Name the field only if it is made of words. Anything else could be a key in the wrong place.
  const at = /^(?:[A-Z]?[a-z]|[-_]){1,32}$/.test(field) ? [...path, field] : path;
  return `${at.length === 0 ? '' : `${at.join('.')}: `}unknown field; ${advice}`;
}

function scalarText(node: unknown): string {
  return isScalar(node) ? String(node.value) : '';
}

/** The node at a path of a key set, or as much of the path as the file has. */
function nodeAt(document: Document, pair: Pair, path: readonly PropertyKey[]): unknown {
  const base = ['keys', scalarText(pair.key)];
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn([...base, ...path.slice(0, length)], true);
    if (isNode(node)) return node;
  }
  return pair.key;
}

function yamlProblem(code: string): string {
  switch (code) {
    case 'DUPLICATE_KEY':
      return 'a field is given twice; remove one of them';
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
