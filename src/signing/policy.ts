/**
 * What a key set may be used for. Pure, denies what is not listed, and asked in one place, before the act.
 */

import { SignerError } from '../api/errors.ts';

export type Operation = 'sign' | 'verify';

export const operations: readonly Operation[] = ['sign', 'verify'];

/** What a key set may be used for; belongs to the key set, so that rotating a key cannot change it. */
export interface Policy {
  readonly allow: readonly Operation[];
  /** Bytes of one message. */
  readonly maxMessageBytes: number;
  /** Signatures and verifications together; undefined for no limit. */
  readonly rateLimit?: RateLimit | undefined;
  /** Where keys are derived: the tenants that are served; undefined for all. */
  readonly tenants?: ReadonlySet<string> | undefined;
  /** Where keys are derived: whether a tenant's secret may be printed. */
  readonly allowExport?: boolean | undefined;
}

/** A token bucket: `burst` at once after a pause, `perSecond` in the long run. */
export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

/** What is left of a rate limit at a moment of a monotonic clock, in milliseconds. */
export interface Allowance {
  readonly tokens: number;
  readonly atMs: number;
}

/** @throws {SignerError} `operation_not_allowed` unless the operation is listed */
export function authorize(policy: Policy, operation: Operation): void {
  if (!policy.allow.includes(operation)) {
    throw new SignerError(
      'operation_not_allowed',
      `this key is not allowed to ${operation}; its configuration allows only: ${policy.allow.join(', ')}`,
    );
  }
}

/** @throws {SignerError} `message_too_large` */
export function checkSize({ maxMessageBytes }: Policy, messageBytes: number): void {
  if (messageBytes > maxMessageBytes) {
    throw new SignerError(
      'message_too_large',
      `a message for this key has at most ${maxMessageBytes} bytes (maxMessageBytes)`,
    );
  }
}

/** @throws {SignerError} `unknown_key` */
export function checkTenant({ tenants }: Policy, tenant: string): void {
  if (tenants?.has(tenant) !== false) return;
  throw new SignerError(
    'unknown_key',
    'there is no key for this tenant; the configuration of this key set lists those that it serves (tenants)',
  );
}

/** RFC 9110 §10.2.3 wants plain digits, and a client that waits a year need not be told more. */
const maxWaitSeconds = 365 * 24 * 3600;

/**
 * Takes one use from what is left of the limit.
 * @param left undefined before the first use
 * @throws {SignerError} `rate_limited` with the seconds to wait
 */
export function spend(
  { perSecond, burst }: RateLimit,
  left: Allowance | undefined,
  nowMs: number,
): Allowance {
  const refill = left === undefined ? burst : left.tokens + ((nowMs - left.atMs) / 1000) * perSecond;
  const tokens = Math.min(burst, refill);
  if (tokens < 1) {
    const waitSeconds = Math.min(Math.ceil((1 - tokens) / perSecond), maxWaitSeconds);
    throw new SignerError(
      'rate_limited',
      `this key may be used ${perSecond} times a second (rateLimit); wait ${waitSeconds} s`,
      { 'retry-after': `${waitSeconds}` },
    );
  }
  return { tokens: tokens - 1, atMs: nowMs };
}
