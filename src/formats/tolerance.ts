/** How far the time of a signature may be from the signer's clock: the options and the check of formats with a timestamp. */

import * as z from 'zod/mini';
import type { VerificationFailure } from '../api/messages.ts';

export interface Tolerance {
  /** The oldest signature that is accepted. */
  readonly toleranceSeconds: number;
  /** How far the clock of the sender may be ahead. */
  readonly futureToleranceSeconds: number;
}

/** As a configuration writes it. */
export type ToleranceOptions = { readonly [Field in keyof Tolerance]?: number | undefined };

const seconds = z.optional(z.int().check(z.gte(0)));

/** The fields of a configuration. */
export const toleranceFields = { toleranceSeconds: seconds, futureToleranceSeconds: seconds };

/** Five minutes, which AWS allows, and Standard Webhooks, Stripe and Slack in at least one direction. */
const defaultSeconds = 300;

/** Fills in the defaults: `futureToleranceSeconds` is then equal to `toleranceSeconds`. */
export function toTolerance({
  toleranceSeconds = defaultSeconds,
  futureToleranceSeconds = toleranceSeconds,
}: ToleranceOptions): Tolerance {
  return { toleranceSeconds, futureToleranceSeconds };
}

/** @param ageSeconds of the signature; negative if its time is in the future */
export function checkAge(
  { toleranceSeconds, futureToleranceSeconds }: Tolerance,
  ageSeconds: number,
): VerificationFailure | undefined {
  if (ageSeconds > toleranceSeconds) return 'expired';
  return -ageSeconds > futureToleranceSeconds ? 'not_yet_valid' : undefined;
}

/** Converts milliseconds to whole seconds, the unit of timestamps in signatures. */
export function nowSeconds(nowMs: number): number {
  return Math.floor(nowMs / 1000);
}
