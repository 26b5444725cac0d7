/** The paths of the key sets that are loaded, in the OpenAPI document: each with the types of its own format. */

import type { Operation } from '../api/messages.ts';
import { fieldsAt } from '../api/schema.ts';
import type { Messages } from '../formats/definition.ts';
import { formats } from '../formats/index.ts';
import type { KeySet } from '../key-sets/snapshot.ts';
import { allowedTo } from '../signing/policy.ts';
import { batchAnswer, batchOf, messageBody, reference, tenant } from './openapi.ts';
import { targets } from './openapi-parameters.ts';
import { exactly, formatSchemas, json, ref, type Schema, schemaOf } from './openapi-schemas.ts';
import { operationPaths, type Path } from './paths.ts';

/** What the paths refer to. Key sets that are alike share it, so that a path is short. */
export interface Components {
  readonly requestBodies: Record<string, object>;
  readonly responses: Record<string, object>;
  readonly schemas: Record<string, object>;
}

export interface KeySetPaths {
  readonly components: Components;
  readonly tagOf: (keySet: KeySet) => object;
  /** Also adds to `components` what they refer to. */
  readonly pathsOf: (keySet: KeySet) => Readonly<Record<string, object>>;
}

type Part = 'sign' | 'verify' | 'signature' | 'verification';
const answers = { sign: 'signature', verify: 'verification' } as const;

/** @param callers the names of the listeners */
export function createKeySetPaths(callers: readonly string[]): KeySetPaths {
  const components: Components = { requestBodies: {}, responses: { refusal }, schemas: {} };
  const names = new Map([...formatSchemas().values()]);

  const schemaName = (messages: Messages, part: Part): string => {
    const schema = { ...messages.requests, ...messages.answers }[part];
    const known = names.get(schema);
    if (known !== undefined) return known;
    const [name, described] = schemaOf(messages, part);
    names.set(schema, name);
    components.schemas[name] = described;
    return name;
  };

  const requestBody = (schema: string, isBatch: boolean, kind: Kind): Schema => {
    const name = [schema, ...(isBatch ? ['batch'] : []), ...(kind === 'json' ? [] : [kind])].join('.');
    const wanted = exactly(ref('schemas', schema), {
      ...(kind === 'tenant' && { required: { tenant } }),
      ...(isBatch && { optional: { reference } }),
    });
    components.requestBodies[name] ??= isBatch
      ? batchOf(wanted)
      : {
          required: true,
          description: `The request as JSON${kind === 'message' ? ', or the message itself' : ''}.`,
          content: { ...json(wanted), ...(kind === 'message' && messageBody) },
        };
    return ref('requestBodies', name);
  };

  const response = (schema: string, isBatch: boolean): Schema => {
    const name = isBatch ? `${schema}.batch` : schema;
    const answer = ref('schemas', schema);
    components.responses[name] ??= isBatch
      ? batchAnswer(answer)
      : { description: 'The answer.', content: json(answer) };
    return ref('responses', name);
  };

  const describe = (
    keySet: KeySet,
    operation: Operation,
    { operationId, summary, isBatch = false }: Path,
  ) => {
    const { name, settings } = keySet;
    const messages = messagesOf(keySet);
    const isChallenge = operation === 'challenge';
    const kind = isBatch || isChallenge ? withoutMessage(kindOf(keySet)) : kindOf(keySet);
    const request = isChallenge ? 'challenge.request' : schemaName(messages, operation);
    const answer = isChallenge ? 'challenge.answer' : schemaName(messages, answers[operation]);
    const who = callers.filter((caller) => allowedTo(settings.policy, caller)?.includes(operation));
    return {
      // The word in between keeps "sign" of the key set "batch-x" apart from "signBatch" of "x".
      operationId: `${operationId}With-${name}`,
      summary: `${summary} with the key set ${name}`,
      description: `Callers: ${who.length === 0 ? 'none' : who.join(', ')}.`,
      'x-callers': who,
      tags: [name],
      parameters: [
        ref('parameters', 'guard'),
        ...(kind === 'message' ? headersOf(keySet, messages, operation) : []),
      ],
      requestBody: requestBody(request, isBatch, kind),
      responses: { 200: response(answer, isBatch), default: ref('responses', 'refusal') },
    };
  };

  return {
    components,
    tagOf: ({ name, keys: [primary], settings: { format }, tenantKeys }) => {
      const derived = tenantKeys === undefined ? '' : ', with a key for each tenant';
      return {
        name,
        description: `The key set ${name}: ${format.name}, ${primary.mac.algorithm}${derived}.`,
      };
    },
    pathsOf: (keySet) => {
      const { format, policy } = keySet.settings;
      const allowed = Object.entries(operationPaths).filter(
        ([, { operation }]) => policy.allow.includes(operation) && format[operation] !== undefined,
      );
      return Object.fromEntries(
        allowed.map(([segment, path]) => [
          `/v1/keys/${keySet.name}/${segment}`,
          { post: describe(keySet, path.operation, path) },
        ]),
      );
    },
  };
}

/** What a request body can be: JSON alone, JSON that names a tenant, or JSON or else the message itself. */
type Kind = 'json' | 'tenant' | 'message';

function kindOf({ tenantKeys, settings: { format } }: KeySet): Kind {
  if (tenantKeys !== undefined) return 'tenant';
  return format.startSigning === undefined ? 'json' : 'message';
}

function withoutMessage(kind: Kind): Kind {
  return kind === 'message' ? 'json' : kind;
}

/** @throws {Error} for a format that is not in the table, which no key set has */
function messagesOf({ settings: { format } }: KeySet): Messages {
  const definition = formats.get(format.name);
  if (definition === undefined) throw new Error(`there is no format ${format.name}`);
  return definition.messagesOf?.(format) ?? definition;
}

/** The headers that go with a message which is the body itself. */
function headersOf(
  { settings: { format } }: KeySet,
  { requests }: Messages,
  operation: Operation,
): readonly Schema[] {
  if (format.name === 'raw') return operation === 'verify' ? [ref('parameters', 'signature')] : [];
  const members = fieldsAt(requests.sign, []);
  const has = (...any: readonly string[]) => any.some((member) => members.includes(member));
  return [
    ...(has('url', 'path', 'query', 'host') ? [targets.url] : []),
    ...(has('method') ? [targets.method] : []),
    ...(has('id') && operation === 'sign' ? [targets.id] : []),
  ];
}

const refusal = {
  description: 'The request is refused. The paths that have {name} list the statuses and codes.',
  content: { 'application/problem+json': { schema: ref('schemas', 'problem') } },
};
