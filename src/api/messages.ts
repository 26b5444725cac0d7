/** The requests and answers of each format, as types. The signer's schemas must fit them, and the client uses them. */

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

/** An HTTP request as it goes over the wire. */
export interface HttpRequest {
  /** In upper case. */
  readonly method: string;
  /** Absolute, percent-encoded as it is sent. */
  readonly url: string;
  /** A header that is sent several times has a list of values, in their order. */
  readonly headers?: HttpHeaders | undefined;
  readonly body?: string | undefined;
  readonly encoding?: MessageEncoding | undefined;
}

/** As servers give them: one that is not there may be undefined. */
export type HttpHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** RFC 9421: the headers to add to the request, `Content-Digest` (RFC 9530) among them if it has a body. */
export interface HttpSignature {
  readonly headers: Readonly<Record<string, string>>;
  readonly keyId: string;
}

/** `nonce` as it was received, for whoever remembers those that have been used. */
export type HttpSignatureVerification = Verification & { readonly nonce?: string };

/** The payload is the body, or what is known of one that is too long to pass: its SHA-256 in hex. */
export interface AwsRequest extends HttpRequest {
  readonly bodySha256?: string | undefined;
}

export interface AwsSignRequest extends AwsRequest {
  /** Default: the key set's, if it has only one. */
  readonly service?: string | undefined;
  readonly region?: string | undefined;
  /** Signs the request for whatever payload it will have. */
  readonly unsignedPayload?: boolean | undefined;
  /** Asks for a URL that works by itself for so long. */
  readonly presign?: { readonly expiresSeconds: number } | undefined;
}

/** The headers to add to the request, or the URL to give away. */
export type AwsSignature =
  | { readonly headers: Readonly<Record<string, string>>; readonly keyId: string }
  | { readonly url: string; readonly keyId: string };

/** HTTP headers by name. */
export type MessageHeaders = Readonly<Record<string, string>>;

export interface WebhookSignRequest {
  readonly body: string;
  readonly encoding?: MessageEncoding | undefined;
}

export interface StandardWebhooksSignRequest extends WebhookSignRequest {
  /** The same for every attempt to deliver the message. Default: made by the signer. */
  readonly id?: string | undefined;
}

export interface WebhookSignature {
  /** Every header that the receiver needs, to be sent along with the body. */
  readonly headers: MessageHeaders;
  readonly keyId: string;
}

export interface WebhookVerifyRequest extends WebhookSignRequest {
  /** As they were received, in any case; those that the format does not know are ignored. */
  readonly headers: HttpHeaders;
}

/** The claims of a JWT (RFC 7519 §4). */
export type Claims = Readonly<Record<string, unknown>>;

export interface JwtSignRequest {
  readonly claims: Claims;
  /** Default: as long as the key set allows. */
  readonly lifetimeSeconds?: number | undefined;
}

export interface JwtSignature {
  readonly token: string;
  readonly keyId: string;
  /** RFC 3339. */
  readonly expiresAt: string;
}

export interface JwtVerifyRequest {
  readonly token: string;
}

export interface CookieSignRequest {
  readonly value: string;
}

export interface CookieSignature {
  /** The cookie's value, not yet URL-encoded. */
  readonly cookie: string;
  readonly keyId: string;
}

export interface CookieVerifyRequest {
  /** The cookie's value, URL-decoded. */
  readonly cookie: string;
}

/**
 * What became of a signature. `primary` tells whether the key that signs today is the one that matched; `More` is what
 * the signature vouches for.
 */
export type Verification<More = unknown> =
  | ({ readonly valid: true; readonly keyId: string; readonly primary: boolean } & More)
  | { readonly valid: false; readonly reason: VerificationFailure };

export type JwtVerification = Verification<{ readonly claims: Claims }>;
export type CookieVerification = Verification<{ readonly value: string }>;

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
}

interface Webhook<Sign> {
  readonly sign: Sign;
  readonly signature: WebhookSignature;
  readonly verify: WebhookVerifyRequest;
  readonly verification: Verification;
}

/** What a request says beside its format's own members. */
export interface TenantRequest {
  /** Whose key is meant: needed where a key set derives its keys, and refused elsewhere. */
  readonly tenant?: string | undefined;
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
  /** Set where each tenant has a key of its own; the key ids are then those of the roots. */
  readonly derived?: true;
  /** The format's options and the limits in force. */
  readonly policy: Readonly<Record<string, unknown>>;
}
