/**
 * What goes over the wire, as types: the requests and answers of each format and of the API around them. Shared by the
 * signer, whose schemas must fit them, and the client; types only.
 */

/** How bytes are written as text. */
export type BytesEncoding = 'hex' | 'base64' | 'base64url';

/** How the text of a message stands for its bytes. Default: `utf8`. */
export type MessageEncoding = 'utf8' | 'base64' | 'hex';

export interface RawSignRequest {
  readonly message: string;
  readonly encoding?: MessageEncoding | undefined;
  /** Default: the key set's. */
  readonly output?: BytesEncoding | undefined;
}

export interface RawSignature {
  readonly signature: string;
  readonly keyId: string;
  readonly algorithm: string;
}

export interface RawVerifyRequest extends RawSignRequest {
  readonly signature: string;
}

/** What became of a signature. `primary` tells whether the key that signs today is the one that matched. */
export type Verification =
  | { readonly valid: true; readonly keyId: string; readonly primary: boolean }
  | { readonly valid: false; readonly reason: VerificationFailure };

/**
 * Why a signature is not valid.
 * - `missing`: there is none
 * - `malformed`: not a signature as this format writes one
 * - `mismatch`: by none of the keys over this message
 * - `expired`, `not_yet_valid`: by the signer's clock and the key set's tolerance
 * - `not_allowed`: well signed, but not what the key set's policy accepts
 */
export type VerificationFailure =
  | 'missing'
  | 'malformed'
  | 'mismatch'
  | 'expired'
  | 'not_yet_valid'
  | 'not_allowed';

/** One of the formats, by its name in the configuration: what goes in and what comes out. */
export interface Formats {
  readonly raw: {
    readonly sign: RawSignRequest;
    readonly signature: RawSignature;
    readonly verify: RawVerifyRequest;
    readonly verification: Verification;
  };
}

/** What anybody who may use a key set may know of it. */
export interface KeySetDescription {
  readonly name: string;
  readonly format: keyof Formats;
  readonly algorithm: string;
  readonly allow: readonly ('sign' | 'verify')[];
  /** All that verify, the primary first. */
  readonly keyIds: readonly string[];
  readonly primary: string;
  /** When the primary became the primary, as RFC 3339. */
  readonly since: string;
  /** The format's options and the limits in force. */
  readonly policy: Readonly<Record<string, unknown>>;
}

/** The members of an RFC 9457 problem document (§3.1), with `code` from the closed list. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
}

/** The closed list of what can go wrong with a request. */
export type ErrorCode =
  | 'malformed_request'
  | 'forbidden_caller'
  | 'operation_not_allowed'
  | 'unknown_key'
  | 'not_found'
  | 'method_not_allowed'
  | 'timeout'
  | 'message_too_large'
  | 'unsupported_media_type'
  | 'unprocessable'
  | 'rate_limited'
  | 'overloaded'
  | 'not_ready'
  | 'internal';
