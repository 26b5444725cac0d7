/**
 * Sign and verify against one snapshot: finds the key set, asks its policy, hands the keys to its format. Pure and
 * synchronous; it takes bytes, and the clock is an argument.
 */

import type { BytesEncoding } from './encoding.ts';
import { SignerError } from './errors.ts';
import { formats, type RawSignature, type Signing, type Verification } from './formats/index.ts';
import { type KeySet, type Snapshot, verificationKeys } from './keys/snapshot.ts';
import { authorize, type Operation, type Policy } from './policy.ts';

/** What a caller may say about a signature besides the message. */
export interface SignRequest {
  /** Default: the key set's. */
  readonly output?: BytesEncoding | undefined;
}

export interface VerifyRequest extends SignRequest {
  readonly signature: string;
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

/**
 * Begins a signature by the key set's primary key.
 * @throws {SignerError} `message_too_large` while the message is fed
 */
export function startSigning({ primary, settings }: KeySet, request: SignRequest): Signing<RawSignature> {
  const output = request.output ?? settings.output;
  return bounded(formats[settings.format].sign(primary, { output }), settings.policy);
}

/**
 * Begins a verification by every key of the set that verifies at `now` (milliseconds since the epoch).
 * @throws {SignerError} `message_too_large` while the message is fed
 */
export function startVerification(
  keySet: KeySet,
  request: VerifyRequest,
  now: number,
): Signing<Verification> {
  const { settings } = keySet;
  const { signature, output = settings.output } = request;
  const keys = verificationKeys(keySet, now);
  return bounded(formats[settings.format].verify(keys, { signature, output }), settings.policy);
}

function bounded<A>(signing: Signing<A>, { maxMessageBytes }: Policy): Signing<A> {
  let length = 0;
  return {
    update: (part) => {
      length += part.length;
      if (length > maxMessageBytes) {
        throw new SignerError(
          'message_too_large',
          `a message for this key has at most ${maxMessageBytes} bytes`,
        );
      }
      signing.update(part);
    },
    finish: () => signing.finish(),
  };
}
