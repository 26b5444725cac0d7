/**
 * Sign and verify against one snapshot: finds the key set, asks its policy, hands the keys to its format. Synchronous;
 * time and chance are arguments.
 */

import type { ErrorCode } from './api/errors.ts';
import { SignerError } from './api/errors.ts';
import type { Verification } from './api/messages.ts';
import { isKeySetName, keySetNameRule } from './key-sets/settings.ts';
import type { KeySet, Snapshot } from './key-sets/snapshot.ts';
import type { Clocks } from './signing/clocks.ts';
import type { Format, MessageSink, SigningContext } from './signing/format.ts';
import {
  type Allowance,
  authorize,
  checkSize,
  checkTenant,
  type Operation,
  spend,
} from './signing/policy.ts';

export interface Signer {
  /** Carries out one request of the key set's format. @throws {SignerError} */
  carryOut(keySet: KeySet, operation: Operation, request: unknown): object;
  /** Signs a message that comes in parts. @throws {SignerError} `message_too_large` as it is fed */
  startSigning(keySet: KeySet): MessageSink<object>;
  /** Verifies a message that comes in parts. @throws {SignerError} `message_too_large` as it is fed */
  startVerification(keySet: KeySet, signature: string): MessageSink<Verification>;
}

/** How an operation ended: as asked, with a signature that does not verify, or with an error. */
export type Outcome = 'ok' | 'invalid' | ErrorCode;

/** What a signer cannot know by itself: time and chance. */
export interface Environment extends Clocks {
  /** Unpredictable bytes. */
  readonly random: (size: number) => Buffer;
}

/**
 * The key set of this name, for this operation if one is given.
 * @throws {SignerError} `unknown_key`, `operation_not_allowed`
 */
export function findKeySet(snapshot: Snapshot, name: string, operation?: Operation): KeySet {
  const keySet = snapshot.keySets.get(name);
  // Nothing of the name comes back, and every unknown name gets the same answer.
  if (keySet === undefined) {
    throw new SignerError('unknown_key', 'no key of this name is loaded; GET /v1/keys lists those that are');
  }
  if (operation !== undefined) authorize(keySet.settings.policy, operation);
  return keySet;
}

/** Whether the key set takes a message that comes in parts, with nothing beside it, for this operation. */
export function takesStream(keySet: KeySet, operation: Operation): boolean {
  return streams(keySet)[operation] !== undefined;
}

/** How a message in parts is begun. A tenant could not be named beside it. */
function streams({ tenantKeys, settings: { format } }: KeySet): {
  readonly sign?: Format['startSigning'];
  readonly verify?: Format['startVerification'];
} {
  return tenantKeys === undefined ? { sign: format.startSigning, verify: format.startVerification } : {};
}

/** Remembers nothing but how much of each key set's rate limit is spent. */
export function createSigner({ now, monotonicMs, random }: Environment): Signer {
  const allowances = new Map<string, Allowance>();

  const use = ({ name, keys, settings: { policy } }: KeySet): SigningContext => {
    const { rateLimit } = policy;
    if (rateLimit !== undefined) {
      allowances.set(name, spend(rateLimit, allowances.get(name), monotonicMs()));
    }
    return { keys, now: now(), random, checkSize: (messageBytes) => checkSize(policy, messageBytes) };
  };

  return {
    carryOut: (keySet, operation, body) => {
      const { format, policy } = keySet.settings;
      const begun = use(keySet);
      if (keySet.tenantKeys === undefined) return format[operation](begun, body);
      const { tenant, request } = takeTenant(body);
      checkTenant(policy, tenant);
      return format[operation]({ ...begun, keys: keySet.tenantKeys(tenant) }, request);
    },
    startSigning: (keySet) => {
      const start = streams(keySet).sign;
      if (start === undefined) throw jsonOnly(keySet);
      const begun = use(keySet);
      return bounded(start(begun), begun);
    },
    startVerification: (keySet, signature) => {
      const start = streams(keySet).verify;
      if (start === undefined) throw jsonOnly(keySet);
      const begun = use(keySet);
      return bounded(start(begun, signature), begun);
    },
  };
}

/** A tenant's own key is found by what a JSON request says beside the format's own members. */
function takeTenant(body: unknown): { readonly tenant: string; readonly request: unknown } {
  if (typeof body !== 'object' || body === null || !('tenant' in body)) {
    throw new SignerError(
      'malformed_request',
      'field "tenant": must name the tenant whose key is meant, since this key set derives one for each',
    );
  }
  const { tenant, ...request } = body;
  if (typeof tenant !== 'string' || !isKeySetName(tenant)) {
    throw new SignerError('malformed_request', `field "tenant": not a usable name; use ${keySetNameRule}`);
  }
  return { tenant, request };
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
      length += part.length;
      checkSize(length);
      signing.update(part);
    },
    finish: () => signing.finish(),
  };
}
