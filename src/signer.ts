/**
 * Carries out one operation: the one place where a key set, its policy and its format meet. Nothing is signed or
 * verified without `authorize`. Synchronous; time and randomness are arguments.
 */

import { type ErrorCode, malformedField, SignerError } from './api/errors.ts';
import type { Operation } from './api/messages.ts';
import type { VerificationFailure } from './api/verification.ts';
import { isKeySetName, keySetNameRule } from './key-sets/settings.ts';
import type { KeySet, Snapshot } from './key-sets/snapshot.ts';
import type { Clocks } from './signing/clocks.ts';
import type { HeaderLookup, MessageSink, Notes, SigningContext } from './signing/format.ts';
import {
  type Allowance,
  allowedTo,
  authorize,
  checkSize,
  checkTenant,
  spend,
  unknownKey,
} from './signing/policy.ts';

export interface Signer {
  /**
   * Checks the policy of the key set. Only the operation that it returns can sign or verify.
   * @param caller the name of the listener through which the request came
   * @throws {SignerError} `operation_not_allowed`; `unknown_key` if the key set is hidden from the caller
   */
  authorize(keySet: KeySet, operation: Operation, caller: string): AuthorizedOperation;
}

/** An operation that the policy of its key set allows, with the keys of one snapshot. */
export interface AuthorizedOperation {
  readonly keySet: KeySet;
  readonly operation: Operation;
  readonly caller: string;
  /**
   * Carries out one request of the key set's format.
   * @param notes is filled with what the audit may record
   * @throws {SignerError}
   */
  carryOut(request: unknown, notes?: Notes): object;
  /** Whether `start` can be called: the format takes a message alone, and the key set has no tenants. */
  readonly takesStream: boolean;
  /**
   * Signs or verifies a message that arrives in parts.
   * @param header the HTTP headers of the request, which carry the signature to verify
   * @param notes is filled with what the audit may record
   * @throws {SignerError} `unsupported_media_type`, `malformed_request`; `message_too_large` as it is fed
   */
  start(header: HeaderLookup, notes?: Notes): MessageSink<object>;
}

/** The result of an operation: success, an invalid signature, or an error code. */
export type Outcome = 'ok' | 'invalid' | ErrorCode;

/** An operation of a key set that was carried out or refused, for whoever counts them. */
export interface OperationResult {
  readonly caller: string;
  /** The name of the key set. */
  readonly keySet: string;
  readonly operation: Operation;
  readonly outcome: Outcome;
  /** The id of the key that signed or verified; several, if it is not known which of them it was. */
  readonly usedKeys?: string | readonly string[] | undefined;
  /** Why a signature did not verify. */
  readonly reason?: VerificationFailure | undefined;
  /** How long it took, without waiting for its request. Absent if it was refused before it began. */
  readonly durationMs?: number | undefined;
}

/** What a signer cannot know by itself. */
export interface Environment extends Clocks {
  /** Unpredictable bytes. */
  readonly random: (size: number) => Buffer;
}

/** The key set of this name, if the caller may know of it. */
export function lookUpKeySet(snapshot: Snapshot, name: string, caller: string): KeySet | undefined {
  const keySet = snapshot.keySets.get(name);
  return keySet !== undefined && isVisible(keySet, caller) ? keySet : undefined;
}

export function isVisible({ settings: { policy } }: KeySet, caller: string): boolean {
  return allowedTo(policy, caller) !== undefined;
}

/** @throws {SignerError} `unknown_key`, with the same answer for a name that is not there and for one that is hidden */
export function findKeySet(snapshot: Snapshot, name: string, caller: string): KeySet {
  const keySet = lookUpKeySet(snapshot, name, caller);
  if (keySet !== undefined) return keySet;
  throw unknownKey();
}

/** Its only state is how much of each key set's rate limit each caller has spent. */
export function createSigner({ now, monotonicMs, random }: Environment): Signer {
  /** By the caller, then by the name of the key set. */
  const allowances = new Map<string, Map<string, Allowance>>();

  const allowancesOf = (caller: string): Map<string, Allowance> => {
    const known = allowances.get(caller);
    if (known !== undefined) return known;
    const first = new Map<string, Allowance>();
    allowances.set(caller, first);
    return first;
  };

  const begin = (
    { name, keys, settings: { policy } }: KeySet,
    caller: string,
    notes: Notes | undefined,
  ): SigningContext => {
    const { rateLimit } = policy;
    if (rateLimit !== undefined) {
      const own = allowancesOf(caller);
      own.set(name, spend(rateLimit, own.get(name), monotonicMs()));
    }
    const check = (messageBytes: number) => {
      // Infinity stands for a message that is somewhere else.
      if (notes && Number.isFinite(messageBytes)) notes.bytes = messageBytes;
      checkSize(policy, messageBytes);
    };
    return { keys, now: now(), random, checkSize: check, notes };
  };

  return {
    authorize: (keySet, operation, caller) => {
      const { format, policy } = keySet.settings;
      const { tenantKeys } = keySet;
      authorize(policy, operation, caller);
      const carryOut = format[operation] ?? noChallenge(format.name);
      const stream = {
        sign: format.startSigning,
        verify: format.startVerification,
        challenge: undefined,
      }[operation];
      return {
        keySet,
        operation,
        caller,
        carryOut: (body, notes) => {
          const context = begin(keySet, caller, notes);
          if (tenantKeys === undefined) return carryOut(context, body);
          const { tenant, request } = takeTenant(body);
          if (notes) notes.tenant = tenant;
          checkTenant(policy, tenant);
          return carryOut({ ...context, keys: tenantKeys(tenant) }, request);
        },
        takesStream: stream !== undefined && tenantKeys === undefined,
        start: (header, notes) => {
          if (stream === undefined || tenantKeys !== undefined) throw jsonOnly(keySet);
          const context = begin(keySet, caller, notes);
          return bounded(stream(context, header), context);
        },
      };
    },
  };
}

/** Separates the tenant's name from the members of the format's request. */
function takeTenant(body: unknown): { readonly tenant: string; readonly request: unknown } {
  if (typeof body !== 'object' || body === null || !('tenant' in body)) {
    throw malformedField('tenant', 'must name the tenant, because this key set has a separate key for each');
  }
  const { tenant, ...request } = body;
  if (typeof tenant !== 'string' || !isKeySetName(tenant)) {
    throw malformedField('tenant', `not a usable name; use ${keySetNameRule}`);
  }
  return { tenant, request };
}

function noChallenge(format: string): () => never {
  return () => {
    throw new SignerError('operation_not_allowed', `the format ${format} has no challenges`);
  };
}

function jsonOnly({ tenantKeys, settings: { format } }: KeySet): SignerError {
  const detail =
    tenantKeys === undefined
      ? `the format ${format.name} takes application/json here`
      : 'a key set with derived keys takes application/json, in which the request names its tenant';
  return new SignerError('unsupported_media_type', detail);
}

function bounded<A>(signing: MessageSink<A>, { checkSize }: SigningContext): MessageSink<A> {
  let length = 0;
  return {
    update: (part) => {
      length += Buffer.byteLength(part);
      checkSize(length);
      signing.update(part);
    },
    finish: () => signing.finish(),
  };
}
