/**
 * What a format is: how a signature is written and read. A format receives keys with their MACs, never key bytes, a
 * file or a request.
 */

import type { Key } from '../mac.ts';

/** Takes a message in any number of parts; `finish` is called once, after the last. */
export interface Signing<Answer> {
  update(part: Uint8Array): void;
  finish(): Answer;
}

/** What became of a signature. `primary` tells whether the key that signs today is the one that matched. */
export type Verification =
  | { readonly valid: true; readonly keyId: string; readonly primary: boolean }
  | { readonly valid: false; readonly reason: VerificationFailure };

/** `malformed`: not a signature as this format writes one. `mismatch`: by none of the keys over this message. */
export type VerificationFailure = 'malformed' | 'mismatch';

/** How one kind of signature is written and read. */
export interface Format<SignRequest, SignAnswer, VerifyRequest> {
  sign(primary: Key, request: SignRequest): Signing<SignAnswer>;
  /** @param keys all that may verify, the primary first */
  verify(keys: readonly Key[], request: VerifyRequest): Signing<Verification>;
}
