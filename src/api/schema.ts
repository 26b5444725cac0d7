/** Strict parsing by schemas: an unknown field is an error, and no message repeats a value. */

import * as z from 'zod/mini';
import { SignerError } from './errors.ts';
import { isPlainly } from './plain-shape.ts';

// By default zod compiles schemas with `new Function`, which the binary forbids.
z.config({ jitless: true, customError: () => 'is not valid' });

/** One way in which a value does not fit its schema. `path` is empty if the problem is the value itself. */
export interface ShapeProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** Set for an unknown field: its name, and the fields that exist at this place. */
  readonly unknown?: { readonly field: string; readonly fields: readonly string[] };
  /** Set for a value that is none of a list: the list. */
  readonly values?: readonly string[];
}

/** Makes schemas when they are first asked for, because those of a format that nobody uses would only cost memory. */
export function onDemand<Made>(make: () => Made): () => Made {
  let made: Made | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** Parses a request. @throws {SignerError} `malformed_request`, naming the first field that is wrong */
export function parse<S extends z.ZodMiniType>(schema: S, body: unknown): z.infer<S> {
  if (isPlainly(schema, body)) return body as z.infer<S>;
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [problem] = shapeProblems(schema, result.error);
  throw new SignerError('malformed_request', problem === undefined ? 'not valid' : describe(problem, body));
}

/** Every problem that zod found, in plain words and without values. */
export function shapeProblems(schema: z.ZodMiniType, { issues }: z.core.$ZodError): readonly ShapeProblem[] {
  return issues.flatMap((issue): ShapeProblem | ShapeProblem[] => {
    const { path } = issue;
    if (issue.code === 'invalid_value') {
      return { path, message: explain(issue), values: issue.values.map(String) };
    }
    // Do not name the field itself, because its name is a value, too.
    if (issue.code === 'invalid_key') {
      return { path: path.slice(0, -1), message: issue.issues[0]?.message ?? explain(issue) };
    }
    if (issue.code !== 'unrecognized_keys') return { path, message: explain(issue) };
    const fields = fieldsAt(schema, path);
    const message = `unknown field; the fields here are: ${fields.join(', ')}`;
    return issue.keys.map((field) => ({ path, message, unknown: { field, fields } }));
  });
}

/** The path holds only field names of the schema and indexes, because strict objects accept no other names. */
function describe({ path, message, unknown }: ShapeProblem, body: unknown): string {
  const place = path.length === 0 ? 'the body' : `field "${path.join('.')}"`;
  if (unknown !== undefined) {
    return `${place} has an unknown field; its fields are: ${unknown.fields.join(', ')}`;
  }
  return isMissing(body, path) ? `${place} is missing; it ${message}` : `${place}: ${message}`;
}

/** Whether a value has nothing at a path. */
export function isMissing(body: unknown, path: readonly PropertyKey[]): boolean {
  return path.reduce((value: unknown, name) => Object(value)[name], body) === undefined;
}

function explain(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${withArticle(issue.expected)}`;
    case 'invalid_value':
      return `must be ${issue.values.length === 1 ? '' : 'one of '}${issue.values.join(', ')}`;
    case 'too_small':
      return `must ${bound(issue.inclusive === false ? 'more than' : 'at least', issue.origin, issue.minimum)}`;
    case 'too_big':
      return `must ${bound(issue.inclusive === false ? 'less than' : 'at most', issue.origin, issue.maximum)}`;
    default:
      return issue.message;
  }
}

function bound(limit: string, origin: string, amount: number | bigint): string {
  const plural = Number(amount) === 1 ? '' : 's';
  if (origin === 'string') return `have ${limit} ${amount} character${plural}`;
  return origin === 'array' ? `have ${limit} ${amount} element${plural}` : `be ${limit} ${amount}`;
}

function withArticle(type: string): string {
  if (type === 'int') return 'a whole number';
  if (type === 'array') return 'a list';
  if (type === 'record') return 'an object';
  return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
}

/** The field names of the object at a path of the schema; empty if there is no object. */
export function fieldsAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
  const [first, ...rest] = path;
  if (schema instanceof z.ZodMiniOptional) return fieldsAt(schema.def.innerType, path);
  if (schema instanceof z.ZodMiniArray) return first === undefined ? [] : fieldsAt(schema.def.element, rest);
  if (!(schema instanceof z.ZodMiniObject)) return [];
  if (first === undefined) return Object.keys(schema.def.shape);
  const field = schema.def.shape[String(first)];
  return field === undefined ? [] : fieldsAt(field, rest);
}
