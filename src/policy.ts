/**
 * What a key set may be used for. Pure, and asked in one place, before the act.
 */

import { SignerError } from './errors.ts';

export type Operation = 'sign' | 'verify';

export const operations: readonly Operation[] = ['sign', 'verify'];

/** What a key set may be used for; belongs to the key set, so that rotating a key cannot change it. */
export interface Policy {
  readonly allow: readonly Operation[];
  /** Bytes of one message. */
  readonly maxMessageBytes: number;
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
