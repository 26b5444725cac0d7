/**
 * Builds webhook formats that sign a timestamp with the body, and perhaps a message id. The timestamp comes from the
 * signer's clock, so the caller does not choose how the signed string begins, and a signature expires.
 */

import * as z from 'zod/mini';
import type {
  BytesEncoding,
  MessageHeaders,
  VerificationFailure,
  WebhookVerification,
} from '../../api/messages.ts';
import type { WebhookName } from '../../api/webhook-headers.ts';
import type { HeaderLookup, TextEncoding } from '../../signing/format.ts';
import { text, verificationWith } from '../answers.ts';
import type { FormatDefinition } from '../definition.ts';
import { checkAge, nowSeconds, type ToleranceOptions, toleranceFields, toTolerance } from '../tolerance.ts';
import { defineWebhook, type Received, requests, requestsWithId } from './engine.ts';

/** What is signed in addition to the body. */
export interface SignedMetadata {
  /** Empty in a format without ids. */
  readonly id: string;
  /** Unix seconds. */
  readonly timestamp: string;
}

/** The parts of a received signature as they stand in the headers; undefined for a header that is absent. */
export interface TimestampedHeaders {
  readonly id?: string | undefined;
  readonly timestamp: string | undefined;
  readonly signatures: readonly string[] | undefined;
}

/** How a provider signs and writes. */
export interface TimestampedSettings {
  readonly output: BytesEncoding;
  readonly minKeyBytes?: number;
  readonly secretEncoding?: TextEncoding;
  /** Set if a message has an id. */
  readonly ids?: true;
  /** Set if a message may carry several signatures, of which one valid signature is enough. */
  readonly several?: true;
  /** The text that is signed before the body. */
  prefix(metadata: SignedMetadata): string;
  /** @param signatures the primary's first */
  write(metadata: SignedMetadata, signatures: readonly [string, ...string[]]): MessageHeaders;
  /** Splits the headers into their parts. This file checks the syntax of the parts. */
  read(header: HeaderLookup): TimestampedHeaders;
}

/** The options of a key set, under the name of the format. */
interface TimestampedOptions extends ToleranceOptions {
  /** With `all`, every key of the set signs, for receivers that still have an old one. Default: `primary`. */
  readonly signWith?: 'primary' | 'all' | undefined;
}

const verificationWithTime: z.ZodMiniType<WebhookVerification> = verificationWith({ timestamp: text });
const verificationWithId: z.ZodMiniType<WebhookVerification> = verificationWith({
  id: text,
  timestamp: text,
});

const signWith = z.optional(z.enum(['primary', 'all']));

const timestampPattern = /^[1-9][0-9]{0,11}$/;
/**
 * Printable ASCII without a space at either end, as headers carry it. No dot, because a dot separates the id from what follows it in the signed string.
 * No comma, because a repeated header is joined by commas.
 */
const idPattern = /^[!-+\-/-~](?:[ -+\-/-~]*[!-+\-/-~])?$/;

export function timestampedFormat(name: WebhookName, settings: TimestampedSettings): FormatDefinition {
  const { ids, several, prefix, write, read, ...common } = settings;
  const schema: z.ZodMiniType<TimestampedOptions | undefined> = z.optional(
    several ? z.strictObject({ ...toleranceFields, signWith }) : z.strictObject(toleranceFields),
  );
  return defineWebhook(
    name,
    { [name]: schema },
    ids ? requestsWithId : requests,
    ids ? verificationWithId : verificationWithTime,
    ({ [name]: configured = {} }) => {
      const { signWith = 'primary' } = configured;
      const tolerance = toTolerance(configured);
      return {
        ...common,
        options: { ...tolerance, ...(several && { signWith }) },
        signWithAll: signWith === 'all',
        metadata: (context, id = ids ? `msg_${context.random(18).toString('base64url')}` : '') => ({
          id,
          timestamp: `${nowSeconds(context.now)}`,
        }),
        prefix,
        write,
        read: (header) => parseHeaders(read(header), ids),
        check: ({ timestamp }, context) => checkAge(tolerance, nowSeconds(context.now) - Number(timestamp)),
        proof: ({ id, timestamp }) => (ids ? { id, timestamp } : { timestamp }),
      };
    },
  );
}

function parseHeaders(
  { id, timestamp, signatures }: TimestampedHeaders,
  ids: true | undefined,
): Received<SignedMetadata> | VerificationFailure {
  if (timestamp === undefined || signatures === undefined || (ids && id === undefined)) return 'missing';
  if (!timestampPattern.test(timestamp) || (ids && !idPattern.test(id ?? ''))) return 'malformed';
  return { metadata: { id: id ?? '', timestamp }, signatures };
}
