/**
 * Parses the configuration file: from YAML to the settings of each key set. Reports every problem at once, with its
 * path and line. No message contains a value, because it could be a key that was pasted into the wrong file.
 */

import { closest, distance } from 'fastest-levenshtein';
import { type Document, isMap, isNode, isScalar, type Pair } from 'yaml';
import { fieldsAt, isMissing, type ShapeProblem, shapeProblems } from '../api/schema.ts';
import { type FormatDefinition, formats } from '../formats/index.ts';
import { maxProblems, moreProblems, ok, type Result, refused } from '../key-sets/result.ts';
import {
  type ConfigurationFile,
  fileOf,
  isKeySetName,
  type KeySettings,
  type KnownCallers,
  keySetNameRule,
} from '../key-sets/settings.ts';
import { alsoVerifyProblems, sharedFileProblems } from './also-verify.ts';
import { callerNotes, isForEveryCaller, noSuchListener, unknownCallers } from './callers.ts';
import { settingsOf } from './defaults.ts';
import { conflictsOf, fieldOf, neededFields, shapeOf, variablePattern } from './fields.ts';
import { readYaml } from './yaml.ts';

/** @returns where a node of the document begins, for the end of a message */
type LineOf = (node: unknown) => string;

const anyCaller: KnownCallers = { names: [], mayBeMore: true };

/**
 * Yields between its steps, so that requests can be answered.
 * @param known the callers that there are
 * @returns the configuration with warnings about what was left out, or everything that is wrong with it
 */
export function* parseConfiguration(
  text: string,
  known: KnownCallers = anyCaller,
): Generator<void, Result<ConfigurationFile>> {
  const yaml = yield* readYaml(text);
  if (!yaml.ok) return yaml;
  const { document, lineAt } = yaml.value;
  const lineOf: LineOf = (node) => (isNode(node) && node.range ? lineAt(node.range[0]) : '');
  const problems = new Set<string>();
  let count = 0;
  const warnings: string[] = [];
  const pairs = new Map<string, Pair>();
  const settings = new Map<string, KeySettings>();
  const open: string[] = [];
  for (const found of keySetsOf(document, lineOf)) {
    yield;
    if (typeof found === 'string') {
      count++;
      problems.add(found);
    } else {
      const { name, pair } = found;
      pairs.set(name, pair);
      const value = (isNode(pair.value) ? pair.value.toJS(document) : undefined) ?? {};
      yield;
      const parsed = parseKeySet(name, value, (path) => lineOf(nodeAt(document, pair, path)), known);
      if (parsed.ok) {
        if (typeof parsed.value === 'string') warnings.push(parsed.value);
        else settings.set(name, parsed.value);
        if (isForEveryCaller(value)) open.push(name);
      } else {
        for (const problem of parsed.problems) {
          yield;
          count++;
          problems.add(problem);
          if (count >= maxProblems) break;
        }
      }
    }
    if (count >= maxProblems) return refused(...problems, moreProblems);
  }
  for (const [name, { path, message }] of sharedFileProblems(settings)) {
    yield;
    if (++count > maxProblems) return refused(...problems, moreProblems);
    const pair = pairs.get(name);
    const line = pair === undefined ? '' : lineOf(nodeAt(document, pair, path));
    problems.add(`${['keys', name, ...path].join('.')}: ${message}${line}`);
  }
  if (problems.size === 0 && settings.size === 0) return refused('keys: no key set is left', ...warnings);
  if (problems.size > 0) return refused(...problems);
  const files = new Set(
    [...settings.values()].flatMap(({ source, alsoVerify }) => [fileOf(source) ?? [], alsoVerify].flat()),
  );
  const notes = callerNotes(settings, open, known);
  return ok({ configuration: { files, keySets: () => settings }, warnings, notes });
}

/** The entries of `keys`, and what is wrong with the others and around them. */
function* keySetsOf(document: Document, lineOf: LineOf): Generator<string | { name: string; pair: Pair }> {
  const top = document.contents;
  if (!isMap(top)) {
    yield 'the file must have the field "keys", with an entry for each key set';
    return;
  }
  for (const { key } of top.items) {
    const field = scalarText(key);
    if (field !== 'keys') yield `${unknownField([], field, ['keys'])}${lineOf(key)}`;
  }
  const keys = top.get('keys');
  if (!isMap(keys) || keys.items.length === 0) {
    yield 'keys: must name at least one key set';
    return;
  }
  for (const pair of keys.items) {
    const name = scalarText(pair.key);
    if (isKeySetName(name)) yield { name, pair };
    else yield `keys: not a usable name; use ${keySetNameRule}${lineOf(pair.key)}`;
  }
}

/** The settings, or a warning that the key set is left out; or its problems, each of which is made when it is asked for. */
type ParsedKeySet =
  | { readonly ok: true; readonly value: KeySettings | string }
  | { readonly ok: false; readonly problems: Iterable<string> };

function parseKeySet(
  name: string,
  value: unknown,
  lineOf: (path: readonly PropertyKey[]) => string,
  known: KnownCallers,
): ParsedKeySet {
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
    const explain = ({ path, message, unknown, values = [] }: ShapeProblem) => {
      if (unknown === undefined) {
        if (isMissing(value, path)) return problem(path, `is missing; it ${needed(path, message)}`);
        const given = path.reduce(fieldOf, value);
        const near = path[0] === 'algorithm' ? algorithmOf(given, values) : nearest(given, values);
        return problem(path, near === undefined ? message : `${message}; did you mean "${near}"?`);
      }
      const { field, fields } = unknown;
      const owner = path.length === 0 ? format && ownerOf(field, format) : undefined;
      if (owner !== undefined) return problem([field], owner);
      return `${unknownField(['keys', name, ...path], field, fields)}${lineOf([...path, field])}`;
    };
    const found = shapeProblems(shape, parsed.error);
    return {
      ok: false,
      problems: [...found, ...problems]
        .values()
        .map((each) => (typeof each === 'string' ? each : explain(each))),
    };
  }
  problems.push(
    ...(format?.problems?.(parsed.data) ?? []).map(({ path, message }) => problem(path, message)),
  );
  if (problems.length > 0) return refused(...problems);
  const settings = settingsOf(name, format, parsed.data);
  problems.push(
    ...alsoVerifyProblems(parsed.data, settings).map(({ path, message }) => problem(path, message)),
  );
  const { algorithm, allowUndecoded, allow, callers = {}, env } = parsed.data;
  const { algorithms } = settings.format;
  if (algorithm !== undefined && !algorithms.includes(algorithm)) {
    const message = `must be one of ${algorithms.join(', ')} with the format ${settings.format.name}`;
    problems.push(problem(['algorithm'], message));
  }
  if (settings.format.challenge === undefined) {
    const message =
      'may hold "challenge" only with a provider that sends challenges, such as zoom, or with a scheme that has one';
    if (allow?.includes('challenge')) problems.push(problem(['allow'], message));
    for (const [caller, allowed] of Object.entries(callers)) {
      if (allowed.includes('challenge')) problems.push(problem(['callers', caller], message));
    }
  }
  if (!known.mayBeMore) {
    for (const caller of unknownCallers(settings, known)) {
      problems.push(problem(['callers', caller], noSuchListener(known)));
    }
  }
  const isText = settings.encoding === 'text' && !('root' in settings.source);
  if (allowUndecoded !== undefined && !(isText && settings.format.secretEncoding === 'whsec')) {
    const message =
      'is only for "encoding: text" with a format whose secrets begin with "whsec_", such as standard-webhooks';
    problems.push(problem(['allowUndecoded'], message));
  }
  if (problems.length > 0) return refused(...problems);
  if (env === undefined || variablePattern.test(env)) return ok(settings);
  return ok(problem(['env'], 'is not a name that a variable can have, so this key set is left out'));
}

/** The algorithm that is meant by the name that a provider's page has for it, such as `HMAC-SHA512` or `sha256`. */
function algorithmOf(given: unknown, algorithms: readonly string[]): string | undefined {
  const [, bits] = /^(?:hmac)?[-_ ]?(?:sha|hs)-?(?:2-)?(1|256|384|512)$/i.exec(String(given)) ?? [];
  if (bits === undefined) return nearest(given, algorithms);
  return algorithms.find((name) => name === (bits === '1' ? 'HMAC-SHA1' : `HS${bits}`));
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
  const near = nearest(field, fields);
  const advice = near !== undefined ? `did you mean "${near}"?` : `the fields here are: ${fields.join(', ')}`;
  // Name the field only if it is made of words. Anything else could be a key in the wrong place.
  const at = /^(?:[A-Z]?[a-z]|[-_]){1,32}$/.test(field) ? [...path, field] : path;
  return `${at.length === 0 ? '' : `${at.join('.')}: `}unknown field; ${advice}`;
}

/** The word that was most likely meant; undefined if none is near. */
function nearest(given: unknown, words: readonly string[]): string | undefined {
  if (typeof given !== 'string' || words.length === 0) return undefined;
  const folded = words.find((word) => word.toLowerCase() === given.toLowerCase());
  if (folded !== undefined) return folded;
  const near = closest(given, [...words]);
  // Two other letters make any short word of another.
  return distance(given, near) <= Math.min(Math.max(2, given.length / 3), near.length / 2) ? near : undefined;
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
