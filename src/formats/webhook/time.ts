/** The time of a message: where it stands, and how far it may be from the signer's clock. */

import * as z from 'zod/mini';
import type { VerificationFailure } from '../../api/messages.ts';
import type { TimeUnit, WebhookScheme } from '../../api/webhook-scheme.ts';
import { hasEachMemberOnce } from '../../bytes/exact-json.ts';
import { isSmallJson, type JsonSize } from '../../bytes/small-json.ts';
import { decodeUtf8 } from '../../bytes/text.ts';
import { checkAge, toTolerance as withDefaults } from '../tolerance.ts';
import { matcherOf } from './language.ts';
import { valueAt } from './pointer.ts';
import { notations } from './timestamp.ts';

export interface Time {
  readonly unit: TimeUnit;
  /** A JSON pointer into the body; undefined if a header carries the time. */
  readonly pointer: string | undefined;
  readonly tolerance: Tolerance;
}

/** `none` accepts every time. */
export interface Tolerance {
  readonly toleranceSeconds: number | 'none';
  readonly futureToleranceSeconds: number | 'none';
}

const seconds = z.optional(
  z
    .custom<number | 'none'>(
      (value) => value === 'none' || (Number.isSafeInteger(value) && Number(value) >= 0),
      'must be at least 0, in whole seconds, or "none"',
    )
    .register(z.globalRegistry, {
      anyOf: [{ type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }, { const: 'none' }],
    }),
);

/** The fields of a configuration. */
export const toleranceFields = { toleranceSeconds: seconds, futureToleranceSeconds: seconds };

export function toTolerance(configured: Pick<WebhookScheme, keyof Tolerance>): Tolerance {
  const { toleranceSeconds, futureToleranceSeconds } = withDefaults({
    toleranceSeconds: toNumber(configured.toleranceSeconds),
    futureToleranceSeconds: toNumber(configured.futureToleranceSeconds),
  });
  return {
    toleranceSeconds: fromNumber(toleranceSeconds),
    futureToleranceSeconds: fromNumber(futureToleranceSeconds),
  };
}

/** @param text a time in the syntax that verification accepts */
export function checkTime(
  { unit, tolerance }: Time,
  text: string,
  nowMs: number,
): VerificationFailure | undefined {
  const { read, stepMs } = notations[unit];
  const step = (ms: number) => Math.floor(ms / stepMs) * stepMs;
  const timeMs = read(text);
  if (Number.isNaN(timeMs)) return 'malformed';
  const limits = {
    toleranceSeconds: toNumber(tolerance.toleranceSeconds),
    futureToleranceSeconds: toNumber(tolerance.futureToleranceSeconds),
  };
  return checkAge(limits, (step(nowMs) - step(timeMs)) / 1000);
}

/** More than any webhook has, and few enough that parsing them delays nobody. */
const mostOfBody: JsonSize = { values: 32 * 1024, depth: 64 };

/** @returns the time in a JSON body, as text; undefined if the body is no JSON, or has no time at the pointer */
export function bodyTime({ unit, pointer = '' }: Time, body: Uint8Array): string | undefined {
  if (!isSmallJson(body, mostOfBody)) return undefined;
  const value = valueAt(parseJson(decodeUtf8(body) ?? ''), pointer);
  const text = typeof value === 'number' || typeof value === 'string' ? `${value}` : '';
  return matcherOf(notations[unit].language).test(text) ? text : undefined;
}

/** Undefined for a text that is not JSON, or of which another parser could read another time. */
function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return hasEachMemberOnce(text, value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function toNumber<Seconds extends number | undefined>(seconds: Seconds | 'none'): Seconds | number {
  return seconds === 'none' ? Number.POSITIVE_INFINITY : seconds;
}

function fromNumber(seconds: number): number | 'none' {
  return Number.isFinite(seconds) ? seconds : 'none';
}
