/** Schemas that the answers of several formats share. */

import * as z from 'zod/mini';
import type { Verification, VerificationFailure, WebhookSignature } from '../api/messages.ts';

export const text: z.ZodMiniString = z.string();

/** A record, because the compiler would not notice a reason that is missing in a list. */
const failures: Readonly<Record<VerificationFailure, true>> = {
  missing: true,
  malformed: true,
  unsupported: true,
  mismatch: true,
  expired: true,
  not_yet_valid: true,
  not_allowed: true,
};

const invalid = z.object({
  valid: z.literal(false),
  reason: z.enum(Object.keys(failures) as VerificationFailure[]),
  detail: z.exactOptional(text),
});

/** @param proof what a valid signature proves, in addition to its key */
export function verificationWith<P extends z.core.$ZodShape>(proof: P) {
  const valid = z.object({ valid: z.literal(true), keyId: text, primary: z.boolean(), ...proof });
  return z.union([valid, invalid]);
}

export const verification: z.ZodMiniType<Verification> = verificationWith({});

/** A signature in HTTP headers. */
export const headersAnswer: z.ZodMiniType<WebhookSignature> = z.object({
  headers: z.record(text, text),
  keyId: text,
});
