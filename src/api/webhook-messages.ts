/** The requests and answers of the webhook formats. Which members a request has follows from the template that is signed. */

import type { MessageEncoding } from './encodings.ts';
import type { HttpHeaders, MessageHeaders } from './http-headers.ts';
import type { ProviderName, providers } from './providers.ts';
import type { Verification } from './verification.ts';
import type { WebhookScheme } from './webhook-scheme.ts';

export interface WebhookSignRequest {
  readonly body: string;
  /** The encoding of `body`. Default: `utf8`. */
  readonly encoding?: MessageEncoding | undefined;
}

export interface WebhookVerifyRequest extends WebhookSignRequest {
  /** All the headers as you received them, in any letter case. The format ignores those that it does not use. */
  readonly headers: HttpHeaders;
}

/** The headers to send with the body. */
export interface WebhookSignature {
  readonly headers: MessageHeaders;
  readonly keyId: string;
}

/** What a valid signature proves in addition to its key. Remember the `id` to recognise a message that is sent again. */
export interface WebhookProof {
  /** The id of the message, in formats that have one. */
  readonly id?: string;
  /** The time of the signature as it stands in the message, in formats that have one. */
  readonly timestamp?: string;
  readonly nonce?: string;
}

export type WebhookVerification = Verification<WebhookProof>;

export interface MessageId {
  /** The id of the message. Use the same id for every attempt to deliver it. Default: the signer creates one. */
  readonly id?: string | undefined;
}

/** The parts of the HTTP request that a scheme can sign beside the body, each exactly as it is sent. */
export interface WebhookTarget {
  /** The public URL of the receiver, as the sender has it. */
  readonly url: string;
  /** In upper case, such as `POST`. */
  readonly method: string;
  /** In place of `url`, for a scheme that signs no more of it. */
  readonly path: string;
  readonly query: string;
  readonly host: string;
}

type SchemeOf<Name extends ProviderName> = (typeof providers)[Name];
type Names<
  Part extends keyof WebhookTarget,
  Signed extends string,
> = Signed extends `${string}{${Part}}${string}` ? Pick<WebhookTarget, Part> : unknown;
type TargetOf<Scheme extends WebhookScheme> = Names<'url', Scheme['signed']> &
  Names<'method', Scheme['signed']>;
type IdOf<Scheme extends WebhookScheme> = Scheme['signed'] extends `${string}{id}${string}`
  ? MessageId
  : unknown;

interface Webhook<Sign, Verify> {
  readonly sign: WebhookSignRequest & Sign;
  readonly signature: WebhookSignature;
  readonly verify: WebhookVerifyRequest & Verify;
  readonly verification: WebhookVerification;
}

/** A scheme of the configuration tells which of these members it needs. */
type AnyTarget = { readonly [Part in keyof WebhookTarget]?: WebhookTarget[Part] | undefined };
type SignedHeaders = { readonly headers?: HttpHeaders | undefined };

/** The requests and answers of each provider's format, and of `webhook`, whose scheme the configuration describes. */
export type WebhookFormats = {
  readonly [Name in ProviderName]: Webhook<
    TargetOf<SchemeOf<Name>> & IdOf<SchemeOf<Name>>,
    TargetOf<SchemeOf<Name>>
  >;
} & { readonly webhook: Webhook<AnyTarget & MessageId & SignedHeaders, AnyTarget> };

/** Proof for a provider that asks, before it sends anything, whether the receiver has the secret. */
export interface ChallengeRequest {
  readonly token: string;
}

export interface ChallengeAnswer {
  /** What the provider wants to see. */
  readonly response: string;
}
