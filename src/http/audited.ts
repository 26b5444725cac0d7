/** What the audit and the counters are told of an operation. */

import type { VerificationFailure } from '../api/verification.ts';
import type { AuditEvent } from '../audit/line.ts';
import type { KeySet } from '../key-sets/snapshot.ts';
import type { AuthorizedOperation, OperationResult, Outcome } from '../signer.ts';
import type { Notes } from '../signing/format.ts';
import type { Timed } from './timed.ts';

/** @param answer undefined if the operation failed */
export function outcomeOf(answer: object | undefined): Outcome {
  return answer !== undefined && 'valid' in answer && answer.valid === false ? 'invalid' : 'ok';
}

/** Who wanted to do what. */
interface Attempt extends Pick<AuthorizedOperation, 'caller' | 'operation'> {
  /** Undefined for a name that does not exist, or is hidden from the caller. Such a name is the text of the caller. */
  readonly keySet: KeySet | undefined;
}

/** @param answer undefined if the operation failed */
export function eventOf(
  { caller, operation, keySet }: Attempt,
  outcome: Outcome,
  { bytes, tenant, keyId, signature, about }: Notes = {},
  answer?: object,
): AuditEvent {
  const attempt = {
    caller,
    keySet: keySet?.name,
    format: keySet?.settings.format.name,
    operation,
    outcome,
    tenant,
  };
  const size = bytes === undefined ? undefined : { bytes };
  // What is not valid can be anything, also a secret in the wrong place.
  if (outcome !== 'ok') return { ...attempt, about: size };
  return {
    ...attempt,
    keyId: answer !== undefined && 'keyId' in answer ? String(answer.keyId) : keyId,
    about: { ...size, ...about },
    signature,
  };
}

/** @param done undefined if the operation failed */
export function resultOf(
  { caller, operation, keySet }: AuthorizedOperation,
  outcome: Outcome,
  done: Timed<object> | undefined,
): OperationResult {
  const result = { caller, keySet: keySet.name, operation, outcome, durationMs: done?.durationMs };
  if (outcome === 'ok') return { ...result, keyIds: usedKeyIds(keySet, done?.answer) };
  return outcome === 'invalid' ? { ...result, reason: reasonOf(done?.answer) } : result;
}

/** Only a verification can succeed with a key that is not the primary. */
function usedKeyIds({ keys, tenantKeys }: KeySet, answer: object | undefined): readonly string[] {
  const isOther = answer !== undefined && 'primary' in answer && answer.primary === false;
  if (!isOther) return [keys[0].id];
  // The id in the answer is that of a tenant's key, and not of the root from which it is derived.
  if (tenantKeys !== undefined) return keys.slice(1).map(({ id }) => id);
  return 'keyId' in answer ? [String(answer.keyId)] : [];
}

function reasonOf(answer: object | undefined): VerificationFailure | undefined {
  return answer !== undefined && 'reason' in answer ? (answer.reason as VerificationFailure) : undefined;
}
