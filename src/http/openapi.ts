/** Describes the API of the signing listener as an OpenAPI 3.1 document, from the schemas that check requests. */

import { errorCodes } from '../api/errors.ts';
import { maxJsonBytes } from '../api/limits.ts';
import type { Operation } from '../api/messages.ts';
import { maxBatchItems, maxReferenceLength } from './batch.ts';
import { parameters, targets } from './openapi-parameters.ts';
import { exactly, formatSchemas, json, namedSchemas, object, ref, type Schema } from './openapi-schemas.ts';
import { textOf } from './openapi-texts.ts';
import { type Path, paths } from './paths.ts';

export interface ApiDocument {
  readonly [member: string]: unknown;
  readonly tags: readonly object[];
  readonly paths: Readonly<Record<string, object>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, object>>>>;
}

/**
 * The document of a signer without key sets.
 * @param version of the signer
 * @param schemas by their names; default: all of them, made at once
 */
export function describeApi(
  version: string,
  schemas: Readonly<Record<string, Schema>> = Object.fromEntries(
    namedSchemas().map(([name, make]) => [name, make()]),
  ),
): ApiDocument {
  return {
    openapi: '3.1.0',
    info: {
      title: 'sidecar-signer',
      version,
      description:
        'Keeps HMAC keys in a separate container and signs on behalf of your app, which never sees them.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [
      { url: 'http://127.0.0.1:8700', description: 'The signing listener, where its address is not set.' },
    ],
    security: [],
    tags: [{ name: 'any key set', description: 'Paths that take the name of a key set of any format.' }],
    paths: Object.fromEntries(
      Object.entries(paths).map(([template, path]) => [
        template,
        {
          ...(template.includes('{name}') && { parameters: [ref('parameters', 'name')] }),
          [path.method.toLowerCase()]: describePath(template, path),
        },
      ]),
    ),
    components: { parameters, responses: refusals, schemas },
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
        ? batchAnswer(anyAnswer(operation))
        : { description: 'The answer.', content: json(anyAnswer(operation)) };
  return {
    operationId,
    summary,
    tags: ['any key set'],
    parameters: [
      ref('parameters', 'guard'),
      ...(isStreamed ? [...signature, ...Object.values(targets)] : []),
    ],
    ...(operation && { requestBody: isBatch ? batchBody(operation) : requestBody(operation) }),
    responses: {
      200: answer,
      ...Object.fromEntries(Object.keys(refusals).map((status) => [status, ref('responses', status)])),
    },
  };
}

/** What the paths that describe key sets answer. */
const descriptions: Readonly<Record<string, Schema>> = {
  '/v1/keys': object({
    caller: { type: 'string' },
    keys: { type: 'array', items: ref('schemas', 'keySet') },
  }),
  '/v1/keys/{name}': { allOf: [ref('schemas', 'keySet'), object({ caller: { type: 'string' } })] },
};

const orMessage =
  ', or the message itself, of any length, as application/octet-stream. The format raw and the webhook formats accept that, unless the keys are derived.';

/** The request body that is the message itself. */
export const messageBody: Schema = {
  'application/octet-stream': {
    schema: { type: 'string', format: 'binary', description: 'The message, exactly as it is signed.' },
  },
};

function requestBody(what: Operation): Schema {
  return {
    required: true,
    description: `JSON of at most ${maxJsonBytes} bytes${what === 'challenge' ? '.' : orMessage}`,
    content: {
      ...json(exactly(anyRequest(what), { optional: { tenant } })),
      ...(what !== 'challenge' && messageBody),
    },
  };
}

function batchBody(what: Operation): Schema {
  return batchOf(exactly(anyRequest(what), { optional: { tenant, reference } }));
}

/** @param item the schema of a request with its reference */
export function batchOf(item: Schema): Schema {
  const items = { type: 'array', minItems: 1, maxItems: maxBatchItems, items: item };
  return {
    required: true,
    description: `At most ${maxJsonBytes} bytes.`,
    content: json(object({ items })),
  };
}

/** @param answer the schema of the answer to one item */
export function batchAnswer(answer: Schema): Schema {
  const result = {
    allOf: [
      { anyOf: [answer, object({ error: ref('schemas', 'problem') })] },
      { type: 'object', properties: { reference } },
    ],
  };
  return {
    description: 'The answers in the order of the items. An item fails alone.',
    content: json(object({ results: { type: 'array', items: result } })),
  };
}

export const tenant: Schema = { type: 'string', description: textOf('', 'tenant').description };
export const reference: Schema = {
  type: 'string',
  maxLength: maxReferenceLength,
  description: textOf('', 'reference').description,
};

const retryAfter = {
  'Retry-After': {
    description: 'After how many seconds a client may try again.',
    schema: { type: 'integer', minimum: 0 },
  },
};

/** The error answers by status. */
const refusals = Object.fromEntries(
  Object.entries(Object.groupBy(Object.entries(errorCodes), ([, { status }]) => status)).map(
    ([status, codes = []]) => [
      status,
      {
        description: codes.map(([code, { title }]) => `${code}: ${title}.`).join(' '),
        ...((status === '429' || status === '503') && { headers: retryAfter }),
        content: { 'application/problem+json': { schema: ref('schemas', 'problem') } },
      },
    ],
  ),
);

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
