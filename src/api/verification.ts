/** The answers of verifications. */

/**
 * The answer of a verification. `keyId` is the id of the key that made the signature, and `primary` whether that is the
 * key which signs now. `More` is what a valid signature proves, such as the claims of a token.
 */
export type Verification<More = unknown> =
  | ({ readonly valid: true; readonly keyId: string; readonly primary: boolean } & More)
  | Invalid;

/** The answer for a signature that is not valid. */
export interface Invalid {
  readonly valid: false;
  readonly reason: VerificationFailure;
  /** What exactly is wrong, for people. Absent if the reason says it all. It never repeats a value of the request. */
  readonly detail?: string;
}

/**
 * Why a signature is not valid.
 * - `missing`: the request has no signature
 * - `malformed`: the signature is not written as this format requires
 * - `unsupported`: the signature may be valid, but uses a part of its standard that the signer does not support
 * - `mismatch`: none of the keys made this signature over this message
 * - `expired`, `not_yet_valid`: its time is outside the tolerance of the key set, by the signer's clock
 * - `not_allowed`: one of the keys made it, but the policy of the key set does not accept it
 */
export type VerificationFailure =
  | 'missing'
  | 'malformed'
  | 'unsupported'
  | 'mismatch'
  | 'expired'
  | 'not_yet_valid'
  | 'not_allowed';
