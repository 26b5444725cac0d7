/**
 * The engine of webhook formats that sign the time along with the body, and perhaps the message's id. The time is the
 * signer's, so that the string it signs begins as the signer wants, and a signature of it ends with the tolerance.
 */

import * as z from 'zod/mini';
import type { BytesEncoding, MessageHeaders, VerificationFailure } from '../../api/messages.ts';
import type { SigningContext, TextEncoding } from '../../signing/format.ts';
import { defineFormat, type FormatDefinition } from '../definition.ts';
import { type HeaderLookup, idPattern, type Received, requests, requestsWithId, webhook } from './engine.ts';

/** What is signed beside the body. */
export interface SignedMetadata {
  /** Empty in a format without ids. */
  readonly id: string;
  /** Unix seconds. */
  readonly timestamp: string;
}

/** The texts in which a provider's headers hold a signature; undefined for a header that is not there. */
export interface TimestampedHeaders {
  readonly id?: string | undefined;
  readonly timestamp: string | undefined;
  readonly signatures: readonly string[] | undefined;
}

/** What is peculiar to a provider. */
export interface TimestampedSettings {
  readonly output: BytesEncoding;
  readonly minKeyBytes?: number;
  readonly secretEncoding?: TextEncoding;
  /** Whether a message has an id. */
  readonly ids?: true;
  /** Whether a message may carry several signatures, of which any is enough. */
  readonly several?: true;
  /** What is signed in front of the body. */
  prefix(metadata: SignedMetadata): string;
  /** @param signatures the primary's first */
  write(metadata: SignedMetadata, signatures: readonly [string, ...string[]]): MessageHeaders;
  /** Takes the headers apart; what the parts look like is judged here. */
  read(header: HeaderLookup): TimestampedHeaders;
}

/** What a key set may say, under the format's name. */
interface TimestampedOptions {
  /** How old a signature may be. Default: 300. */
  readonly toleranceSeconds?: number | undefined;
  /** How far ahead of our clock its maker's may be. Default: as much. */
  readonly futureToleranceSeconds?: number | undefined;
  /** With `all`, every key of the set that verifies signs too, for receivers that still have an old one. */
  readonly signWith?: 'primary' | 'all' | undefined;
}

const seconds = z.optional(z.int().check(z.gte(0)));
const tolerances = { toleranceSeconds: seconds, futureToleranceSeconds: seconds };
const options = z.optional(z.strictObject(tolerances));
const optionsOfSeveral = z.optional(
  z.strictObject({ ...tolerances, signWith: z.optional(z.enum(['primary', 'all'])) }),
);

const timestampPattern = /^[1-9][0-9]{0,11}$/;
/** What Standard Webhooks, Stripe and Slack use in both directions or in one. */
const defaultToleranceSeconds = 300;

export function timestampedFormat(name: string, settings: TimestampedSettings): FormatDefinition {
  const { output, minKeyBytes, secretEncoding, ids, several } = settings;
  const schema: z.ZodMiniType<TimestampedOptions | undefined> = several ? optionsOfSeveral : options;
  return defineFormat(name, { [name]: schema }, ids ? requestsWithId : requests, ({ [name]: given = {} }) => {
    const { toleranceSeconds = defaultToleranceSeconds, signWith = 'primary' } = given;
    const { futureToleranceSeconds = toleranceSeconds } = given;
    return webhook<SignedMetadata>({
      name,
      options: { toleranceSeconds, futureToleranceSeconds, ...(several && { signWith }) },
      output,
      ...(minKeyBytes !== undefined && { minKeyBytes }),
      ...(secretEncoding !== undefined && { secretEncoding }),
      ...(ids && { takesId: ids }),
      signWithAll: signWith === 'all',
      metadata: (context, id = ids ? `msg_${context.random(18).toString('base64url')}` : '') => ({
        id,
        timestamp: `${nowSeconds(context)}`,
      }),
      prefix: settings.prefix,
      write: settings.write,
      read: (header) => received(settings.read(header), ids),
      check: ({ timestamp }, context) => {
        const ageSeconds = nowSeconds(context) - Number(timestamp);
        if (ageSeconds > toleranceSeconds) return 'expired';
        return -ageSeconds > futureToleranceSeconds ? 'not_yet_valid' : undefined;
      },
    });
  });
}

function received(
  { id, timestamp, signatures }: TimestampedHeaders,
  ids: true | undefined,
): Received<SignedMetadata> | VerificationFailure {
  if (timestamp === undefined || signatures === undefined || (ids && id === undefined)) return 'missing';
  if (!timestampPattern.test(timestamp) || (ids && !idPattern.test(id ?? ''))) return 'malformed';
  return { metadata: { id: id ?? '', timestamp }, signatures };
}

function nowSeconds({ now }: SigningContext): number {
  return Math.floor(now / 1000);
}
