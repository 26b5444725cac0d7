/** Describes the API of the signing listener as an OpenAPI 3.1 document, from the schemas that check requests. */

import * as z from 'zod/mini';
import { errorCodes } from '../api/errors.ts';
import { streamed } from '../api/limits.ts';
import { formats } from '../formats/index.ts';
import { keySetNamePattern } from '../key-sets/settings.ts';
import type { Operation } from '../signing/policy.ts';
import { keySet, problem } from './answer-shapes.ts';
import { jsonAlone, jsonBesideStream } from './app.ts';
import { maxBatchItems, maxReferenceLength } from './batch.ts';
import { descriptionPaths, type OperationPath, operationPaths, type Path } from './paths.ts';

type Schema = Readonly<Record<string, unknown>>;

/** @param version of the signer */
export function describeApi(version: string): object {
  const operation = ({ operation: what, operationId, summary }: OperationPath) => ({
    post: {
      operationId,
      summary,
      parameters: [
        ref('parameters', 'guard'),
        ...(what === 'verify' ? [ref('parameters', 'signature')] : []),
      ],
      requestBody: {
        required: true,
        description: `JSON of at most ${jsonAlone.maxBytes} bytes; of at most ${jsonBesideStream.maxBytes} where the message itself can come as application/octet-stream, which is so with ${streamed[what].join(', ')} unless the keys are derived.`,
        content: {
          ...json({ ...anyRequest(what), properties: { tenant }, unevaluatedProperties: false }),
          'application/octet-stream': {},
        },
      },
      responses: { 200: { description: 'The answer.', content: json(anyAnswer(what)) }, ...refusals },
    },
  });
  const batch = ({ operation: what, operationId, summary }: OperationPath) => ({
    post: {
      operationId,
      summary,
      parameters: [ref('parameters', 'guard')],
      requestBody: {
        required: true,
        description: `At most ${jsonAlone.maxBytes} bytes.`,
        content: json(
          object({
            items: {
              type: 'array',
              minItems: 1,
              maxItems: maxBatchItems,
              items: {
                ...anyRequest(what),
                properties: { tenant, reference },
                unevaluatedProperties: false,
              },
            },
          }),
        ),
      },
      responses: {
        200: {
          description: 'The answers in the order of the items; an item fails alone.',
          content: json(
            object({
              results: {
                type: 'array',
                items: {
                  anyOf: [anyAnswer(what), object({ error: ref('schemas', 'problem') })],
                  properties: { reference },
                },
              },
            }),
          ),
        },
        ...refusals,
      },
    },
  });
  const read = ({ operationId, summary }: Path, answer: Schema) => ({
    get: {
      operationId,
      summary,
      parameters: [ref('parameters', 'guard')],
      responses: { 200: { description: 'Never key material.', content: json(answer) }, ...refusals },
    },
  });
  const named = { parameters: [ref('parameters', 'name')] };
  return {
    openapi: '3.1.0',
    info: {
      title: 'sidecar-signer',
      version,
      description: 'Signs and verifies HMAC messages for the container next to it, which never sees the key.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: 'http://127.0.0.1:8700' }],
    security: [],
    paths: {
      '/v1/keys': read(
        descriptionPaths['/v1/keys'],
        object({ keys: { type: 'array', items: ref('schemas', 'keySet') } }),
      ),
      '/v1/keys/{name}': {
        ...named,
        ...read(descriptionPaths['/v1/keys/{name}'], ref('schemas', 'keySet')),
      },
      ...Object.fromEntries(
        [...operationPaths].map(([segment, path]) => [
          `/v1/keys/{name}/${segment}`,
          { ...named, ...(path.isBatch ? batch(path) : operation(path)) },
        ]),
      ),
    },
    components: { parameters, schemas: schemas() },
  };
}

const parameters = {
  name: {
    name: 'name',
    in: 'path',
    required: true,
    description: 'The name of a key set. Its format decides what a request and an answer look like.',
    schema: { type: 'string', pattern: keySetNamePattern.source },
  },
  guard: {
    name: 'Sec-Signer',
    in: 'header',
    required: true,
    description: 'Something that neither a browser nor a redirected request can send.',
    schema: { const: '1' },
  },
  signature: {
    name: 'Sec-Signer-Signature',
    in: 'header',
    description: 'The signature, where the body is the message itself.',
    schema: { type: 'string' },
  },
};

const tenant = {
  type: 'string',
  description: 'Whose key is meant: needed where a key set derives its keys, and refused elsewhere.',
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
  const named: Record<string, Schema> = { keySet: toJsonSchema(keySet), problem: toJsonSchema(problem) };
  for (const { name, requests, answers } of formats.values()) {
    for (const [part, schema] of Object.entries({ ...requests, ...answers })) {
      named[`${name}.${part}`] = toJsonSchema(schema);
    }
  }
  return named;
}

/** Allows more members than its own, because the place that uses it adds some. */
function toJsonSchema(schema: z.ZodMiniType): Schema {
  const { $schema, additionalProperties, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
  });
  return additionalProperties === false
    ? rest
    : { ...rest, ...(additionalProperties && { additionalProperties }) };
}

function anyRequest(what: Operation): Schema {
  return { anyOf: [...formats.keys()].map((format) => ref('schemas', `${format}.${what}`)) };
}

function anyAnswer(what: Operation): Schema {
  const part = what === 'sign' ? 'signature' : 'verification';
  return { anyOf: [...formats.keys()].map((format) => ref('schemas', `${format}.${part}`)) };
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
