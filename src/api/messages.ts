/** The requests and answers of each format, as types. The client uses them, and the signer's schemas are checked against them. */

import type { AwsPostForm, AwsPostRequest } from './aws-post.ts';
import type { BytesEncoding, MessageEncoding } from './encodings.ts';
import type { HttpHeaders } from './http-headers.ts';
import type { SignedUrl, SignedUrlSignRequest, SignedUrlVerifyRequest } from './signed-url-messages.ts';
import type { Verification } from './verification.ts';
import type { WebhookFormats } from './webhook-messages.ts';

export type { BytesEncoding, MessageEncoding } from './encodings.ts';
export type { HttpHeaders, MessageHeaders } from './http-headers.ts';
export type * from './signed-url-messages.ts';
export type { Invalid, Verification, VerificationFailure } from './verification.ts';
export type * from './webhook-messages.ts';

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

/** The headers to add to the request, the presigned URL, or the presigned POST. */
export type AwsSignature =
  | { readonly headers: Readonly<Record<string, string>>; readonly keyId: string }
  | { readonly url: string; readonly keyId: string }
  | AwsPostForm;

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

export type JwtVerification = Verification<{ readonly claims: Claims }>;
export type SignedUrlVerification = Verification<{ readonly expiresAt: string }>;
export type CookieVerification = Verification<{ readonly value: string }>;

/** The requests and answers of each format, by its name in the configuration. */
export interface Formats extends WebhookFormats {
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
    readonly sign: AwsSignRequest | AwsPostRequest;
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

/** The field of a request that does not belong to its format. */
export interface TenantRequest {
  /** Selects the tenant's key. Required if the key set derives a key for each tenant, and refused otherwise. */
  readonly tenant?: string | undefined;
}

/** What a key can be used for. */
export type Operation = 'sign' | 'verify' | 'challenge';

/** What a caller can read about a key set. It contains no key material. */
export interface KeySetDescription {
  readonly name: string;
  readonly format: keyof Formats;
  readonly algorithm: string;
  /** What this caller may do with it. */
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

/** The description of one key set, with the name of the caller who asks. */
export interface KeySetDescriptionForCaller extends KeySetDescription {
  /** The name of the listener through which the request came: `tcp`, `socket`, or the name of the socket. */
  readonly caller: string;
}

/** All key sets that a caller may use. */
export interface KeySetList {
  readonly caller: string;
  readonly keys: readonly KeySetDescription[];
}
