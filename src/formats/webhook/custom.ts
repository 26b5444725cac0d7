/** Defines the format `webhook`, whose scheme the configuration describes. */

import * as z from 'zod/mini';
import type { WebhookSignRequest, WebhookVerification, WebhookVerifyRequest } from '../../api/messages.ts';
import { onDemand } from '../../api/schema.ts';
import type { HeaderTemplate, WebhookScheme } from '../../api/webhook-scheme.ts';
import { bytesEncodings } from '../../bytes/encoding.ts';
import type { Format } from '../../signing/format.ts';
import type { Algorithm } from '../../signing/mac.ts';
import { headersAnswer, text, verificationWith } from '../answers.ts';
import type { FormatDefinition, Messages, OptionProblem } from '../definition.ts';
import { headers } from '../headers.ts';
import { messageEncoding } from '../message.ts';
import { compileScheme } from './compile.ts';
import { createFormat } from './format.ts';
import { signWith } from './provider.ts';
import { newId, requestsOf } from './request.ts';
import type { Scheme } from './scheme.ts';
import { toleranceFields } from './time.ts';
import { type SentVariable, sentVariables } from './variables.ts';

/** HMAC with SHA-1 is here alone, for senders that have nothing better. */
export const webhookAlgorithms: readonly Algorithm[] = ['HS256', 'HS384', 'HS512', 'HMAC-SHA1'];

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.length <= 16 &&
  value.every((each) => typeof each === 'string');

/**
 * Not a record of zod, which silently leaves out a name such as `__proto__`.
 * @param schema of a value, as JSON Schema
 */
function recordOf<Value>(isValue: (value: unknown) => boolean, schema: object, rule: string) {
  return z
    .custom<Readonly<Record<string, Value>>>((value) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
      const values = Object.values(value);
      return values.length > 0 && values.length <= 16 && values.every(isValue);
    }, rule)
    .register(z.globalRegistry, {
      type: 'object',
      minProperties: 1,
      maxProperties: 16,
      additionalProperties: schema,
    });
}

const isTemplate = (value: unknown) => {
  if (typeof value === 'string' || isTexts(value)) return true;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { items, separator, ...rest }: { items?: unknown; separator?: unknown } = value;
  return isTexts(items) && typeof separator === 'string' && Object.keys(rest).length === 0;
};

function createSchema(): z.ZodMiniType<WebhookScheme> {
  const texts = { type: 'array', minItems: 1, maxItems: 16, items: { type: 'string' } };
  const list = {
    type: 'object',
    properties: { items: texts, separator: { type: 'string' } },
    required: ['items', 'separator'],
    additionalProperties: false,
  };
  const flag = z.optional(z.boolean());
  const word = /^[A-Za-z0-9-]{1,64}$/;
  const output = z.optional(z.enum(bytesEncodings));
  return z.strictObject({
    signed: text,
    headers: recordOf<HeaderTemplate>(
      isTemplate,
      { anyOf: [{ type: 'string' }, texts, list] },
      'must have the names of headers, at most 16, each with a template, a list of templates, or { items, separator }',
    ),
    output,
    timestamp: z.optional(z.enum(['seconds', 'milliseconds', 'rfc3339'])),
    ...toleranceFields,
    signWith,
    aliases: z.optional(
      recordOf<readonly string[]>(
        isTexts,
        texts,
        'must have the names of headers, each with a list of other names',
      ),
    ),
    names: z.optional(
      z
        .custom<readonly string[]>(
          (value) => isTexts(value) && value.every((each) => word.test(each)),
          'must be a list of 1 to 16 words that stand for {n}, of letters, digits and -',
        )
        .register(z.globalRegistry, { ...texts, items: { type: 'string', pattern: word.source } }),
    ),
    bodyTimestamp: z.optional(text),
    unsignedTimestamp: flag,
    unsignedId: flag,
    unsignedNonce: flag,
    challenge: z.optional(
      z.strictObject({ signed: text, response: text, output, pattern: z.optional(text) }),
    ),
    ambiguous: flag,
  });
}

/** What requests and answers can hold. The scheme of a key set decides which of the members are there. */
function createMessages(): Messages {
  const part = z.optional(text);
  const target = { method: part, url: part, path: part, query: part, host: part };
  const message = { body: text, encoding: messageEncoding, ...target };
  const sign: z.ZodMiniType<WebhookSignRequest> = z.strictObject({
    ...message,
    id: newId,
    headers: z.optional(headers),
  });
  const verify: z.ZodMiniType<WebhookVerifyRequest> = z.strictObject({ ...message, headers });
  const proven = z.exactOptional(text);
  const verification: z.ZodMiniType<WebhookVerification> = verificationWith({
    id: proven,
    timestamp: proven,
    nonce: proven,
  });
  return { requests: { sign, verify }, answers: { signature: headersAnswer, verification } };
}

const verifications = new Map<string, z.ZodMiniType<WebhookVerification>>();

/** What those of one scheme hold. Schemes whose members are alike share them. */
function messagesOf(scheme: Scheme): Messages {
  const proven = sentVariables.filter(
    (variable) => scheme.proven.has(variable) || (variable === 'timestamp' && scheme.time !== undefined),
  );
  const known = verifications.get(proven.join());
  const shape = Object.fromEntries(proven.map((variable) => [variable, text]));
  const verification = known ?? verificationWith(shape as Record<SentVariable, typeof text>);
  verifications.set(proven.join(), verification);
  return { requests: requestsOf(scheme), answers: { signature: headersAnswer, verification } };
}

/** The part of a key set's configuration that decides its scheme. */
interface Configured {
  readonly webhook: WebhookScheme;
  readonly algorithm?: Algorithm | undefined;
}

const fields = onDemand(() => ({ webhook: createSchema() }));
const messages = onDemand(createMessages);

export const webhook: FormatDefinition = {
  name: 'webhook',
  get fields() {
    return fields();
  },
  get requests() {
    return messages().requests;
  },
  get answers() {
    return messages().answers;
  },
  problems: (configured) => {
    const { algorithm } = configured as Configured;
    const problems: OptionProblem[] = [];
    if (algorithm !== undefined && !webhookAlgorithms.includes(algorithm)) {
      const message = `must be one of ${webhookAlgorithms.join(', ')} with the format webhook`;
      problems.push({ path: ['algorithm'], message });
    }
    const compiled = compile(configured as Configured);
    if ('signed' in compiled) return problems;
    return [...problems, ...compiled.map(({ path, message }) => ({ path: ['webhook', ...path], message }))];
  },
  create: (configured) => {
    const { webhook: options } = configured as Configured;
    const compiled = compile(configured as Configured);
    if (!('signed' in compiled))
      throw new TypeError('the scheme has problems, which must be looked for first');
    const format: Format = {
      name: 'webhook',
      ...createFormat(compiled, { ...options, ...compiled.time?.tolerance }),
      secretEncoding: 'text',
    };
    schemes.set(format, compiled);
    return format;
  },
  messagesOf: (format) => {
    const scheme = schemes.get(format);
    return scheme === undefined ? messages() : messagesOf(scheme);
  },
};

const schemes = new WeakMap<Format, Scheme>();

/** Remembers what it made of a key set's configuration: it is asked for problems first, and then for the format. */
const compiled = new WeakMap<object, Scheme | readonly OptionProblem[]>();

function compile(configured: Configured): Scheme | readonly OptionProblem[] {
  const { webhook, algorithm = 'HS256' } = configured;
  const known = compiled.get(configured);
  if (known !== undefined) return known;
  const made = compileScheme(webhook, algorithm, false);
  compiled.set(configured, made);
  return made;
}
