/** Describes the API of the signing listener as an OpenAPI 3.1 document, from the schemas that check requests. */

import * as z from 'zod/mini';
import { errorCodes, type Problem } from '../api/errors.ts';
import { maxJsonBytes } from '../api/limits.ts';
import type { Formats, KeySetDescription, Operation } from '../api/messages.ts';
import { challengeAnswer, challengeRequest, formats } from '../formats/index.ts';
import { operations } from '../signing/policy.ts';
import { maxBatchItems, maxReferenceLength } from './batch.ts';
import { parameters, targets } from './openapi-parameters.ts';
import { type Path, paths } from './paths.ts';

type Schema = Readonly<Record<string, unknown>>;

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

/** @param version of the signer */
export function describeApi(version: string): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'sidecar-signer',
      version,
      description:
        'Keeps HMAC keys in a separate container and signs on behalf of your app, which never sees them.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: 'http://127.0.0.1:8700' }],
    security: [],
    paths: Object.fromEntries(
      Object.entries(paths).map(([template, path]) => [
        template,
        {
          ...(template.includes('{name}') && { parameters: [ref('parameters', 'name')] }),
          [path.method.toLowerCase()]: describePath(template, path),
        },
      ]),
    ),
    components: { parameters, schemas: schemas() },
  };
}

function describePath(template: string, path: Path): object {
  const { operationId, summary, operation, isBatch } = path;
  const isStreamed = !isBatch && (operation === 'sign' || operation === 'verify');
  const signature = operation === 'verify' ? [ref('parameters', 'signature')] : [];
  const answer =
    operation === undefined
      ? { description: 'Never key material.', content: json(descriptions[template] ?? {}) }
      : isBatch
        ? {
            description: 'The answers in the order of the items. An item fails alone.',
            content: json(batchAnswer(operation)),
          }
        : { description: 'The answer.', content: json(anyAnswer(operation)) };
  return {
    operationId,
    summary,
    parameters: [ref('parameters', 'guard'), ...(isStreamed ? [...signature, ...targets] : [])],
    ...(operation && { requestBody: isBatch ? batchBody(operation) : requestBody(operation) }),
    responses: { 200: answer, ...refusals },
  };
}

const caller = { type: 'string', description: 'The name of the listener through which the request came.' };

/** What the paths that describe key sets answer. */
const descriptions: Readonly<Record<string, Schema>> = {
  '/v1/keys': object({ caller, keys: { type: 'array', items: ref('schemas', 'keySet') } }),
  '/v1/keys/{name}': { ...ref('schemas', 'keySet'), ...object({ caller }) },
};

const orMessage =
  ', or the message itself, of any length, as application/octet-stream. The format raw and the webhook formats accept that, unless the keys are derived.';

function requestBody(what: Operation): Schema {
  return {
    required: true,
    description: `JSON of at most ${maxJsonBytes} bytes${what === 'challenge' ? '.' : orMessage}`,
    content: {
      ...json({ ...anyRequest(what), properties: { tenant }, unevaluatedProperties: false }),
      ...(what !== 'challenge' && { 'application/octet-stream': {} }),
    },
  };
}

function batchBody(what: Operation): Schema {
  const item = {
    ...anyRequest(what),
    properties: { tenant, reference },
    unevaluatedProperties: false,
  };
  const items = { type: 'array', minItems: 1, maxItems: maxBatchItems, items: item };
  return {
    required: true,
    description: `At most ${maxJsonBytes} bytes.`,
    content: json(object({ items })),
  };
}

function batchAnswer(what: Operation): Schema {
  const result = {
    anyOf: [anyAnswer(what), object({ error: ref('schemas', 'problem') })],
    properties: { reference },
  };
  return object({ results: { type: 'array', items: result } });
}

const tenant = {
  type: 'string',
  description: 'The tenant whose key to use. Required if the key set derives its keys, refused otherwise.',
};
const reference = {
  type: 'string',
  maxLength: maxReferenceLength,
  description: 'Comes back with the answer.',
};

/** The error answers by status. */
const refusals = Object.fromEntries(
  Object.entries(Object.groupBy(Object.entries(errorCodes), ([, { status }]) => status)).map(
    ([status, codes = []]) => [
      status,
      {
        description: codes.map(([code, { title }]) => `${code}: ${title}.`).join(' '),
        content: { 'application/problem+json': { schema: ref('schemas', 'problem') } },
      },
    ],
  ),
);

/** Named like the types in api/messages.ts: `raw.sign`, `raw.signature`, `raw.verify`, `raw.verification`. */
function schemas(): Readonly<Record<string, Schema>> {
  const named: Record<string, Schema> = {
    keySet: toJsonSchema(keySet),
    problem: toJsonSchema(problem),
    'challenge.request': toJsonSchema(challengeRequest),
    'challenge.answer': toJsonSchema(challengeAnswer),
  };
  for (const [name, [schema, original]] of formatSchemas()) {
    named[name] = original === name ? toJsonSchema(schema) : ref('schemas', original);
  }
  return named;
}

/** The schemas of formats by their names. What several formats share is described once, under the first name. */
function formatSchemas(): ReadonlyMap<string, readonly [schema: z.ZodMiniType, original: string]> {
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
}

function toJsonSchema(schema: z.ZodMiniType): Schema {
  const { $schema, ...described } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return opened(described);
}

/** Allows members that it does not list, because the schema that refers to it adds some. */
function opened({ additionalProperties, anyOf, ...rest }: z.core.JSONSchema.BaseSchema): Schema {
  return {
    ...rest,
    ...(additionalProperties && { additionalProperties }),
    ...(anyOf && { anyOf: anyOf.map(opened) }),
  };
}

/** The names of the schemas of an operation, which are those of the types in api/messages.ts. */
const parts = {
  sign: ['sign', 'signature'],
  verify: ['verify', 'verification'],
} as const;

function anyRequest(what: Operation): Schema {
  return what === 'challenge' ? ref('schemas', 'challenge.request') : anyOf(parts[what][0]);
}

function anyAnswer(what: Operation): Schema {
  return what === 'challenge' ? ref('schemas', 'challenge.answer') : anyOf(parts[what][1]);
}

/** One part of each format. */
function anyOf(part: string): Schema {
  const originals = [...formatSchemas()].filter(([name, [, original]]) => name === original);
  const names = originals.map(([name]) => name).filter((name) => name.endsWith(`.${part}`));
  return { anyOf: names.map((name) => ref('schemas', name)) };
}

function ref(kind: 'schemas' | 'parameters', name: string): Schema {
  return { $ref: `#/components/${kind}/${name}` };
}

function object(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', properties, required: Object.keys(properties) };
}

function json(schema: Schema): Readonly<Record<string, { readonly schema: Schema }>> {
  return { 'application/json': { schema } };
}
