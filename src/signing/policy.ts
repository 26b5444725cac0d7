/**
 * The policy of a key set: which operations, how large a message, how often, for which tenants. These are pure functions
 * that deny what the policy does not list; the signer calls them before each operation.
 */

import { SignerError } from '../api/errors.ts';
import type { Operation } from '../api/messages.ts';

export const operations: readonly Operation[] = ['sign', 'verify', 'challenge'];
/** What a key set may be used for if its configuration does not say. */
export const usualOperations: readonly Operation[] = ['sign', 'verify'];

/** What a key set may be used for. It belongs to the key set, not to a key, so rotating a key cannot change it. */
export interface Policy {
  /** What any caller may do; with `callers`, what at least one of them may do. */
  readonly allow: readonly Operation[];
  /** What each caller may do, by its name. The key set is hidden from the others. Undefined if all are alike. */
  readonly callers?: ReadonlyMap<string, readonly Operation[]> | undefined;
  /** The most bytes that one message may have. */
  readonly maxMessageBytes: number;
  /** Counts signatures and verifications together; undefined for no limit. */
  readonly rateLimit?: RateLimit | undefined;
  /** With derived keys: the tenants that the key set serves; undefined for all. */
  readonly tenants?: ReadonlySet<string> | undefined;
  /** With derived keys: whether a command may print the secret of a tenant. */
  readonly allowExport?: boolean | undefined;
}

/** A token bucket: it allows `burst` operations at once after a pause, and `perSecond` on average. */
export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

/** The tokens left in the bucket at a time of the monotonic clock. */
export interface Allowance {
  readonly tokens: number;
  readonly atMs: number;
}

/** What a caller may do; undefined if the key set is hidden from it. */
export function allowedTo({ allow, callers }: Policy, caller: string): readonly Operation[] | undefined {
  return callers === undefined ? allow : callers.get(caller);
}

/** @throws {SignerError} `operation_not_allowed` unless the operation is listed; `unknown_key` if the key set is hidden */
export function authorize(policy: Policy, operation: Operation, caller: string): void {
  const allowed = allowedTo(policy, caller);
  if (allowed === undefined) throw unknownKey();
  if (allowed.includes(operation)) return;
  const list = allowed.join(', ');
  throw new SignerError(
    'operation_not_allowed',
    policy.callers === undefined
      ? `this key is not allowed to ${operation}; its configuration allows only: ${list}`
      : `this caller is not allowed to ${operation} with this key; its configuration (callers) allows it only: ${list}`,
  );
}

/** The same for every name that is not there and for every key set that is hidden from the caller. */
export function unknownKey(): SignerError {
  return new SignerError(
    'unknown_key',
    'there is no key set of this name for this caller; GET /v1/keys lists those that it may use',
  );
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
    'this key set has no key for this tenant; its configuration lists the tenants that it serves (tenants)',
  );
}

/** The limit keeps `Retry-After` in plain digits (RFC 9110 §10.2.3): a very low rate would give 1e+21. */
const maxWaitSeconds = 365 * 24 * 3600;

/**
 * Takes one token from the bucket.
 * @param left the result of the last call; undefined before the first
 * @returns what is left afterwards
 * @throws {SignerError} `rate_limited` with a `Retry-After` header in seconds
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
