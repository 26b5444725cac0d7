/** The schemas of the OpenAPI document: those that check requests, each member with its description. */

import * as z from 'zod/mini';
import { errorCodes, type Problem } from '../api/errors.ts';
import type { Formats, KeySetDescription } from '../api/messages.ts';
import { onDemand } from '../api/schema.ts';
import type { Messages } from '../formats/definition.ts';
import { challengeAnswer, challengeRequest, formats } from '../formats/index.ts';
import { operations } from '../signing/policy.ts';
import { textOf } from './openapi-texts.ts';

export type Schema = Readonly<Record<string, unknown>>;

// The answers that belong to no format. The compiler checks these schemas against the types in api/.
const text = z.string();

const keySet: z.ZodMiniType<KeySetDescription> = z.object({
  name: text,
  format: z.enum([...formats.keys()] as (keyof Formats)[]),
  algorithm: text,
  allow: z.array(z.enum(operations)),
  keyIds: z.array(text),
  primary: text,
  since: text,
  derived: z.exactOptional(z.literal(true)),
  policy: z.record(text, z.unknown()),
});

const problem: z.ZodMiniType<Problem> = z.object({
  type: text,
  title: text,
  status: z.int(),
  detail: text,
  code: z.enum(Object.keys(errorCodes) as (keyof typeof errorCodes)[]),
});

/** A schema of the document, which is made when it is asked for: making all of them takes many milliseconds. */
type Maker = readonly [name: string, make: () => Schema];

/** Named like the types in api/messages.ts: `raw.sign`, `raw.signature`, `raw.verify`, `raw.verification`. */
export function namedSchemas(): readonly Maker[] {
  const own = (name: string, schema: z.ZodMiniType, description: string): Maker => [
    name,
    () => toJsonSchema(name, schema, description),
  ];
  return [
    own('keySet', keySet, 'What a caller can read about a key set. It contains no key.'),
    own('problem', problem, 'Why a request was refused (RFC 9457).'),
    own('challenge.request', challengeRequest, 'The challenge of a provider.'),
    own('challenge.answer', challengeAnswer, 'The proof that the key is known.'),
    ...[...formatSchemas()].map(
      ([name, [schema, original]]): Maker =>
        original === name
          ? own(name, schema, whatIs(name))
          : [name, () => ref('schemas', original, whatIs(name))],
    ),
  ];
}

type Part = 'sign' | 'verify' | 'signature' | 'verification';
const parts: Readonly<Record<Part, string>> = {
  sign: 'The sign request',
  verify: 'The verify request',
  signature: 'The answer to a sign request',
  verification: 'The answer to a verify request',
};

function whatIs(name: string): string {
  const [format, part] = name.split('.');
  return `${parts[part as Part]} of the format ${format}.`;
}

type FormatSchemas = ReadonlyMap<string, readonly [schema: z.ZodMiniType, original: string]>;

/** The schemas of formats by their names. What several formats share is described once, under the first name. */
export const formatSchemas: () => FormatSchemas = onDemand(() => {
  const originals = new Map<z.ZodMiniType, string>();
  const named = new Map<string, readonly [z.ZodMiniType, string]>();
  for (const { name, requests, answers } of formats.values()) {
    for (const [part, schema] of Object.entries({ ...requests, ...answers })) {
      const original = originals.get(schema) ?? `${name}.${part}`;
      originals.set(schema, original);
      named.set(`${name}.${part}`, [schema, original]);
    }
  }
  return named;
});

/**
 * The schema of a request or an answer that the configuration of a key set decides.
 * @returns it with a name, which is the same for schemas that are alike
 */
export function schemaOf(
  { requests, answers }: Messages,
  part: Part,
): readonly [name: string, schema: Schema] {
  const schema = { ...requests, ...answers }[part];
  const described = toJsonSchema(`webhook.${part}`, schema, whatIs(`webhook.${part}`));
  const members = new Set(objectsOf(described).flatMap(({ properties }) => Object.keys(properties ?? {})));
  return [`webhook.${part}.${[...members].sort().join('-')}`, described];
}

function toJsonSchema(name: string, schema: z.ZodMiniType, description: string): Schema {
  const { $schema, ...plain } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  const described = describe(name, opened(plain));
  return { description, ...described, examples: [exampleOf(name, described)] };
}

type Described = z.core.JSONSchema.BaseSchema;

/** Allows members that it does not list, because the schema that refers to it adds some. */
function opened({ additionalProperties, anyOf, ...rest }: Described): Described {
  return {
    ...rest,
    ...(additionalProperties && { additionalProperties }),
    ...(anyOf && { anyOf: (anyOf as Described[]).map(opened) }),
  };
}

function describe(name: string, { properties, anyOf, ...rest }: Described): Described {
  return {
    ...rest,
    ...(anyOf && { anyOf: (anyOf as Described[]).map((each) => describe(name, each)) }),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties as Record<string, Described>).map(([member, schema]) => [
          member,
          { description: textOf(name, member).description, ...describe(name, schema) },
        ]),
      ),
    }),
  };
}

/** With the members that are required, in the first of the shapes that it may have. */
function exampleOf(name: string, schema: Described): unknown {
  const [{ properties = {}, required = [] } = {}] = objectsOf(schema);
  return Object.fromEntries(
    Object.keys(properties)
      .filter((member) => required.includes(member))
      .map((member) => [member, textOf(name, member).example]),
  );
}

function objectsOf(schema: Described): readonly Described[] {
  return schema.anyOf === undefined ? [schema] : (schema.anyOf as Described[]);
}

/** @param description where it says more than that of the schema itself */
export function ref(
  kind: 'schemas' | 'parameters' | 'requestBodies' | 'responses',
  name: string,
  description?: string,
): Schema {
  return { $ref: `#/components/${kind}/${name}`, ...(description !== undefined && { description }) };
}

/** An object that has all of these members. Each is described, unless its schema has a description itself. */
export function object(properties: Readonly<Record<string, Schema>>): Schema {
  const described = Object.entries(properties).map(
    ([member, schema]) => [member, { description: textOf('', member).description, ...schema }] as const,
  );
  return { type: 'object', properties: Object.fromEntries(described), required: Object.keys(properties) };
}

interface Members {
  readonly required?: Readonly<Record<string, Schema>>;
  readonly optional?: Readonly<Record<string, Schema>>;
}

/**
 * A schema with further members, and no others. They are parts of an `allOf`, because generators of clients overlook what
 * stands beside a reference or an `anyOf`.
 */
export function exactly(schema: Schema, { required = {}, optional = {} }: Members): Schema {
  const properties = { ...required, ...optional };
  const names = Object.keys(required);
  const more = { type: 'object', properties, ...(names.length > 0 && { required: names }) };
  return Object.keys(properties).length === 0
    ? { ...schema, unevaluatedProperties: false }
    : { allOf: [schema, more], unevaluatedProperties: false };
}

export function json(schema: Schema): Readonly<Record<string, { readonly schema: Schema }>> {
  return { 'application/json': { schema } };
}
