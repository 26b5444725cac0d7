/**
 * The configuration file: YAML to the settings of each key set. Reports every problem at once, each with its path and
 * line, and never a value, since somebody may have pasted a key into the wrong file.
 */

import { closest, distance } from 'fastest-levenshtein';
import { type Document, isMap, isNode, isScalar, LineCounter, type Pair, parseDocument, visit } from 'yaml';
import * as z from 'zod/mini';
import { type FormatDefinition, formats } from '../formats/index.ts';
import {
  type Configuration,
  defaultEncoding,
  type KeySettings,
  type KeySource,
  keyEncodings,
} from '../keys/settings.ts';
import { type Algorithm, algorithmNames } from '../mac.ts';
import { operations, type Policy } from '../policy.ts';
import { shapeProblems } from '../schema.ts';

/** What a configuration says, and what in it had to be left out. */
export interface ConfigurationFile {
  readonly configuration: Configuration;
  readonly warnings: readonly string[];
}

/** Everything that is wrong with a configuration file. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.problems = problems;
  }
}

export const defaultRetainSeconds = 3600;
const namePattern = /^(?!\.\.)[A-Za-z0-9._-]{1,253}$/;
/** What the kubelet accepts as the name of a variable (Kubernetes API conventions, IsEnvVarName). */
const variablePattern = /^(?!\.{1,2}$|\.\.)[-._a-zA-Z][-._a-zA-Z0-9]*$/;

const positive = z.int().check(z.gte(1));
const keySetFields = {
  file: z.optional(z.string()),
  env: z.optional(z.string()),
  encoding: z.optional(z.enum(keyEncodings)),
  format: z.optional(z.enum([...formats.keys()] as [string, ...string[]])),
  algorithm: z.optional(z.enum(algorithmNames as readonly [Algorithm, ...Algorithm[]])),
  allow: z.optional(z.array(z.enum(operations)).check(z.minLength(1))),
  maxMessageBytes: z.optional(positive),
  rateLimit: z.optional(
    z.strictObject({ perSecond: z.number().check(z.positive()), burst: z.optional(positive) }),
  ),
  retainPreviousSeconds: z.optional(z.int().check(z.gte(0))),
  allowWeakKey: z.optional(z.boolean()),
};
const keySetShape = z.strictObject(keySetFields);
/** The fields that every key set has, and `output`, the one of the format `raw` that stands beside them. */
export const keySetFieldNames: readonly string[] = Object.keys(keySetFields);
type KeySetFields = z.infer<typeof keySetShape>;

/** The format's own fields beside those that every key set has. */
const schemas: ReadonlyMap<FormatDefinition, z.ZodMiniType<KeySetFields>> = new Map(
  [...formats.values()].map((format) => [
    format,
    z.strictObject({ ...keySetFields, ...format.fields }) as z.ZodMiniType<KeySetFields>,
  ]),
);

/** Without a configuration file, each file is a key set of the format `raw`, and may sign and verify. */
export const everyFile: Configuration = (files) =>
  new Map(files.map((file) => [file, settingsOf(file, rawFormat(), {})]));

/** @throws {ConfigurationError} */
export function parseConfiguration(text: string): ConfigurationFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number | undefined) =>
    offset === undefined ? '' : ` (line ${lines.linePos(offset).line})`;
  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) {
    throw new ConfigurationError(broken.map(({ code, pos }) => `${yamlProblem(code)}${lineAt(pos[0])}`));
  }
  const problems: string[] = [];
  visit(document, {
    Alias: (_, { range }) => {
      problems.push(`an alias (*) cannot be used here; write the value out${lineAt(range?.[0])}`);
    },
  });
  if (problems.length > 0) throw new ConfigurationError(problems);
  const warnings: string[] = [];
  const settings = new Map<string, KeySettings>();
  for (const { name, pair } of keySetsOf(document, lineAt, problems)) {
    const value = (isNode(pair.value) ? pair.value.toJS(document) : undefined) ?? {};
    const parsed = parseKeySet(name, value, (path) => lineAt(offsetOf(document, pair, path)));
    if ('problems' in parsed) problems.push(...parsed.problems);
    else if ('warning' in parsed) warnings.push(parsed.warning);
    else settings.set(name, parsed);
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
  return { configuration: () => settings, warnings };
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
    if (scalarText(key) !== 'keys') problems.push(unknownField(scalarText(key), ['keys']));
  }
  const keys = top.get('keys');
  if (!isMap(keys) || keys.items.length === 0) {
    problems.push('keys: must name at least one key set');
    return [];
  }
  return keys.items.flatMap((pair) => {
    const name = scalarText(pair.key);
    if (namePattern.test(name)) return [{ name, pair }];
    const line = lineAt(isNode(pair.key) ? pair.key.range?.[0] : undefined);
    problems.push(`keys: a name must be 1 to 253 of A-Z a-z 0-9 . _ - and not begin with ".."${line}`);
    return [];
  });
}

function parseKeySet(
  name: string,
  value: unknown,
  lineOf: (path: readonly PropertyKey[]) => string,
): KeySettings | { readonly problems: readonly string[] } | { readonly warning: string } {
  const path = `keys.${name}`;
  const format = formats.get(formatName(value)) ?? rawFormat();
  const schema = schemas.get(format) ?? keySetShape;
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const problems = shapeProblems(schema, parsed.error).map((problem) => {
      const at = [path, ...problem.path].join('.');
      const { unknown, message } = problem;
      if (unknown === undefined) return `${at}: ${message}${lineOf(problem.path)}`;
      const line = lineOf([...problem.path, unknown.field]);
      const elsewhere = problem.path.length === 0 ? belongsTo(unknown.field, format) : undefined;
      return `${at}.${elsewhere ?? unknownField(unknown.field, unknown.fields)}${line}`;
    });
    return { problems };
  }
  const fields = parsed.data;
  const problems: string[] = [];
  const refuse = (field: keyof KeySetFields, what: string) =>
    problems.push(`${path}.${field}: ${what}${lineOf([field])}`);
  if (fields.file !== undefined && fields.env !== undefined) {
    refuse('env', 'give a file or a variable, not both');
  }
  const settings = settingsOf(name, format, fields);
  const { algorithms } = settings.format;
  if (fields.algorithm !== undefined && !algorithms.includes(fields.algorithm)) {
    refuse('algorithm', `must be one of ${algorithms.join(', ')} with the format ${format.name}`);
  }
  if (problems.length > 0) return { problems };
  if (fields.env !== undefined && !variablePattern.test(fields.env)) {
    return {
      warning: `${path}.env: not a name that a variable can have, so this key set is left out${lineOf(['env'])}`,
    };
  }
  return settings;
}

function settingsOf(name: string, format: FormatDefinition, fields: KeySetFields): KeySettings {
  const { file = name, env, rateLimit } = fields;
  const source: KeySource = env === undefined ? { file: file.replaceAll('/', '.') } : { env };
  const policy: Policy = {
    allow: fields.allow ?? operations,
    maxMessageBytes: fields.maxMessageBytes ?? Number.POSITIVE_INFINITY,
    rateLimit: rateLimit && {
      perSecond: rateLimit.perSecond,
      burst: rateLimit.burst ?? Math.ceil(rateLimit.perSecond),
    },
  };
  return {
    source,
    encoding: fields.encoding ?? (env === undefined ? defaultEncoding(file) : 'bytes'),
    format: format.create(fields),
    algorithm: fields.algorithm,
    policy,
    retainPreviousSeconds: fields.retainPreviousSeconds ?? defaultRetainSeconds,
    allowWeakKey: fields.allowWeakKey ?? false,
  };
}

function rawFormat(): FormatDefinition {
  const raw = formats.get('raw');
  if (raw === undefined) throw new TypeError('the table of formats has no "raw"');
  return raw;
}

function formatName(value: unknown): string {
  return typeof value === 'object' && value !== null && 'format' in value ? String(value.format) : 'raw';
}

/** What to say of a field that another format has. */
function belongsTo(field: string, format: FormatDefinition): string | undefined {
  const owner = [...formats.values()].find(({ fields }) => Object.hasOwn(fields, field));
  if (owner === undefined) return undefined;
  return `${field}: belongs to "format: ${owner.name}"; this key set has the format ${format.name}`;
}

function unknownField(field: string, fields: readonly string[]): string {
  const near = closest(field, [...fields]);
  const meant = near !== undefined && distance(field, near) <= Math.max(2, field.length / 3);
  return `${field}: unknown field; ${meant ? `did you mean "${near}"?` : `the fields here are: ${fields.join(', ')}`}`;
}

function scalarText(node: unknown): string {
  return isScalar(node) ? String(node.value) : '';
}

/** Where the deepest part of a path that the file has begins. */
function offsetOf(document: Document, pair: Pair, path: readonly PropertyKey[]): number | undefined {
  const base = ['keys', scalarText(pair.key)];
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn([...base, ...path.slice(0, length)], true);
    if (isScalar(node) || isMap(node)) return node.range?.[0];
  }
  return isScalar(pair.key) ? pair.key.range?.[0] : undefined;
}

function yamlProblem(code: string): string {
  switch (code) {
    case 'DUPLICATE_KEY':
      return 'a field stands twice in the same place; remove one of them';
    case 'TAB_AS_INDENT':
      return 'indent with spaces, not with tabs';
    case 'MULTIPLE_DOCS':
      return 'the file must be one YAML document';
    default:
      return `not valid YAML: ${code.toLowerCase().replaceAll('_', ' ')}`;
  }
}
