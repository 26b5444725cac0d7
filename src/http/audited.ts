/** What the audit and the counters are told of an operation. */

import type { VerificationFailure } from '../api/verification.ts';
import type { AuditEvent } from '../audit/line.ts';
import { shownId } from '../key-sets/key-id.ts';
import type { KeySet } from '../key-sets/snapshot.ts';
import type { AuthorizedOperation, OperationResult, Outcome } from '../signer.ts';
import type { Notes } from '../signing/format.ts';

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
  const id = answer !== undefined && 'keyId' in answer ? String(answer.keyId) : keyId;
  return {
    ...attempt,
    keyId: id === undefined ? undefined : shownId(id),
    about: about === undefined ? size : { ...size, ...about },
    signature,
  };
}

/**
 * @param answer undefined if the operation failed
 * @param durationMs undefined if the operation failed
 */
export function resultOf(
  { caller, operation, keySet }: AuthorizedOperation,
  outcome: Outcome,
  answer?: object,
  durationMs?: number,
): OperationResult {
  return {
    caller,
    keySet: keySet.name,
    operation,
    outcome,
    durationMs,
    usedKeys: outcome === 'ok' ? usedKeys(keySet, answer) : undefined,
    reason: outcome === 'invalid' ? reasonOf(answer) : undefined,
  };
}

/** Only a verification can succeed with a key that is not the primary. */
function usedKeys({ keys, tenantKeys }: KeySet, answer: object | undefined): OperationResult['usedKeys'] {
  const isOther = answer !== undefined && 'primary' in answer && answer.primary === false;
  if (!isOther) return keys[0].id;
  // The id in the answer is that of a tenant's key, and not of the root from which it is derived.
  if (tenantKeys !== undefined) return keys.slice(1).map(({ id }) => id);
  return 'keyId' in answer ? String(answer.keyId) : undefined;
}

function reasonOf(answer: object | undefined): VerificationFailure | undefined {
  return answer !== undefined && 'reason' in answer ? (answer.reason as VerificationFailure) : undefined;
}
