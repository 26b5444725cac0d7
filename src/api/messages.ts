/** The requests and answers of each format, as types. The client uses them, and the signer's schemas are checked against them. */

import type { SignedUrl, SignedUrlSignRequest, SignedUrlVerifyRequest } from './signed-url-messages.ts';

export type { SignedUrl, SignedUrlSignRequest, SignedUrlVerifyRequest } from './signed-url-messages.ts';

/** How the bytes of a signature are written as text: `base64` is padded, `base64url` is not. */
export type BytesEncoding = 'hex' | 'base64' | 'base64url';

/** How the bytes of a message are written as text in JSON. Default: `utf8`. */
export type MessageEncoding = 'utf8' | 'base64' | 'hex';

export interface RawSignRequest {
  readonly message: string;
  /** The encoding of `message`. Default: `utf8`. */
  readonly encoding?: MessageEncoding | undefined;
  /** The encoding of the signature. Default: the one in the key set's configuration, or `hex`. */
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

/** An HTTP request, with each part exactly as it is sent. */
export interface HttpRequest {
  /** In upper case, such as `POST`. */
  readonly method: string;
  /** An absolute URL, percent-encoded as it is sent. */
  readonly url: string;
  /** For a header that is sent several times, give a list of its values in their order. */
  readonly headers?: HttpHeaders | undefined;
  readonly body?: string | undefined;
  /** The encoding of `body`. Default: `utf8`. */
  readonly encoding?: MessageEncoding | undefined;
}

/** HTTP headers in the shape that `node:http` gives them, so an absent header may be undefined. */
export type HttpHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The headers to add to the request (RFC 9421), with `Content-Digest` (RFC 9530) if it has a body. */
export interface HttpSignature {
  readonly headers: Readonly<Record<string, string>>;
  readonly keyId: string;
}

/** `nonce` is the one in the signature. Remember it to refuse a second request with the same nonce. */
export type HttpSignatureVerification = Verification & { readonly nonce?: string };

export interface AwsRequest extends HttpRequest {
  /** The SHA-256 of the body in lower-case hex, in place of `body`: for a body that is too long to send to the signer. */
  readonly bodySha256?: string | undefined;
}

export interface AwsSignRequest extends AwsRequest {
  /** The AWS service, such as `s3`. Default: the one that the key set allows, if it is only one. */
  readonly service?: string | undefined;
  /** The AWS region, such as `eu-central-1`. Default: the one that the key set allows, if it is only one. */
  readonly region?: string | undefined;
  /** Makes the signature valid for any body. The key set must allow it. */
  readonly unsignedPayload?: boolean | undefined;
  /** Asks for a presigned URL, which anyone can use for this many seconds. */
  readonly presign?: { readonly expiresSeconds: number } | undefined;
}

/** The headers to add to the request, or the presigned URL. */
export type AwsSignature =
  | { readonly headers: Readonly<Record<string, string>>; readonly keyId: string }
  | { readonly url: string; readonly keyId: string };

/** HTTP headers by name. */
export type MessageHeaders = Readonly<Record<string, string>>;

export interface WebhookSignRequest {
  readonly body: string;
  /** The encoding of `body`. Default: `utf8`. */
  readonly encoding?: MessageEncoding | undefined;
}

export interface StandardWebhooksSignRequest extends WebhookSignRequest {
  /** The id of the message. Use the same id for every attempt to deliver it. Default: the signer creates one. */
  readonly id?: string | undefined;
}

export interface WebhookSignature {
  /** The headers to send with the body. */
  readonly headers: MessageHeaders;
  readonly keyId: string;
}

export interface WebhookVerifyRequest extends WebhookSignRequest {
  /** All the headers as you received them, in any letter case. The format ignores those that it does not use. */
  readonly headers: HttpHeaders;
}

/** The claims of a JWT (RFC 7519 §4). */
export type Claims = Readonly<Record<string, unknown>>;

export interface JwtSignRequest {
  readonly claims: Claims;
  /** Seconds until the token expires. Default: the most that the key set allows. */
  readonly lifetimeSeconds?: number | undefined;
}

export interface JwtSignature {
  readonly token: string;
  readonly keyId: string;
  /** The time of `exp` (RFC 3339), such as `2027-01-15T08:00:00.000Z`. */
  readonly expiresAt: string;
}

export interface JwtVerifyRequest {
  readonly token: string;
}

export interface CookieSignRequest {
  readonly value: string;
}

export interface CookieSignature {
  /** The value of the signed cookie. URL-encode it before you set it. */
  readonly cookie: string;
  readonly keyId: string;
}

export interface CookieVerifyRequest {
  /** The value of the signed cookie, URL-decoded. */
  readonly cookie: string;
}

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
 * What a valid webhook signature proves in addition to its key. Remember the `id` to recognise a message that is sent
 * again.
 */
export interface WebhookProof {
  /** The id of the message, in formats that have one. */
  readonly id?: string;
  /** The time of the signature as it stands in the header, in formats that have one. */
  readonly timestamp?: string;
}

export type WebhookVerification = Verification<WebhookProof>;
export type JwtVerification = Verification<{ readonly claims: Claims }>;
export type SignedUrlVerification = Verification<{ readonly expiresAt: string }>;
export type CookieVerification = Verification<{ readonly value: string }>;

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

/** The requests and answers of each format, by its name in the configuration. */
export interface Formats {
  readonly raw: {
    readonly sign: RawSignRequest;
    readonly signature: RawSignature;
    readonly verify: RawVerifyRequest;
    readonly verification: Verification;
  };
  readonly jwt: {
    readonly sign: JwtSignRequest;
    readonly signature: JwtSignature;
    readonly verify: JwtVerifyRequest;
    readonly verification: JwtVerification;
  };
  readonly 'standard-webhooks': Webhook<StandardWebhooksSignRequest>;
  readonly github: Webhook<WebhookSignRequest>;
  readonly shopify: Webhook<WebhookSignRequest>;
  readonly stripe: Webhook<WebhookSignRequest>;
  readonly slack: Webhook<WebhookSignRequest>;
  readonly cookie: {
    readonly sign: CookieSignRequest;
    readonly signature: CookieSignature;
    readonly verify: CookieVerifyRequest;
    readonly verification: CookieVerification;
  };
  readonly 'http-signature': {
    readonly sign: HttpRequest;
    readonly signature: HttpSignature;
    readonly verify: HttpRequest;
    readonly verification: HttpSignatureVerification;
  };
  readonly 'aws-sigv4': {
    readonly sign: AwsSignRequest;
    readonly signature: AwsSignature;
    readonly verify: AwsRequest;
    readonly verification: Verification;
  };
  readonly 'signed-url': {
    readonly sign: SignedUrlSignRequest;
    readonly signature: SignedUrl;
    readonly verify: SignedUrlVerifyRequest;
    readonly verification: SignedUrlVerification;
  };
}

interface Webhook<Sign> {
  readonly sign: Sign;
  readonly signature: WebhookSignature;
  readonly verify: WebhookVerifyRequest;
  readonly verification: WebhookVerification;
}

/** The field of a request that does not belong to its format. */
export interface TenantRequest {
  /** Selects the tenant's key. Required if the key set derives a key for each tenant, and refused otherwise. */
  readonly tenant?: string | undefined;
}

/** What a key can be used for. */
export type Operation = 'sign' | 'verify';

/** What a caller can read about a key set. It contains no key material. */
export interface KeySetDescription {
  readonly name: string;
  readonly format: keyof Formats;
  readonly algorithm: string;
  readonly allow: readonly Operation[];
  /** The ids of all keys that verify, the primary first. */
  readonly keyIds: readonly string[];
  /** The id of the key that signs. */
  readonly primary: string;
  /** When this key became the primary (RFC 3339). */
  readonly since: string;
  /** Set if the key set derives a key for each tenant. The key ids are then those of the root keys. */
  readonly derived?: true;
  /** The options of the format, and the limits of the key set. */
  readonly policy: Readonly<Record<string, unknown>>;
}
