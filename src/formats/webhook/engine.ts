/**
 * What the webhook formats share: a body that is signed as the bytes it is, and headers that carry the signature. How a
 * provider writes them is its scheme; the engines in body.ts and timestamped.ts make schemes.
 */

import * as z from 'zod/mini';
import type {
  BytesEncoding,
  HttpHeaders,
  MessageHeaders,
  StandardWebhooksSignRequest,
  Verification,
  VerificationFailure,
  WebhookSignature,
  WebhookSignRequest,
  WebhookVerifyRequest,
} from '../../api/messages.ts';
import { parse } from '../../api/schema.ts';
import { decodeExactly, encode } from '../../bytes/encoding.ts';
import {
  type Format,
  type MessageSink,
  type SigningContext,
  type TextEncoding,
  verification,
  whole,
} from '../../signing/format.ts';
import { indexOfTag, tagBytes, tagOf } from '../../signing/mac.ts';
import { headers, valuesByName } from '../headers.ts';
import { messageBytes, messageEncoding } from '../message.ts';

/** How a provider signs and writes; `SignedMetadata` is what stands beside the body in the string that is signed. */
export interface Scheme<SignedMetadata> {
  readonly name: string;
  readonly options: object;
  readonly minKeyBytes?: number;
  /** How receivers are given a secret. Default: `text`. */
  readonly secretEncoding?: TextEncoding;
  /** How a tag is written. */
  readonly output: BytesEncoding;
  /** What the signer adds, for a request that has this id if it has one. */
  metadata(context: SigningContext, id: string | undefined): SignedMetadata;
  /** What is signed in front of the body. Its grammar must be the signer's alone. */
  prefix(metadata: SignedMetadata): string;
  /** @param signatures by the keys that sign, the primary's first */
  write(metadata: SignedMetadata, signatures: readonly [string, ...string[]]): MessageHeaders;
  /** @param header the value of a header by its name in lower case */
  read(header: HeaderLookup): Received<SignedMetadata> | VerificationFailure;
  /** What is wrong with a metadata that has been found to be authentic. */
  check(metadata: SignedMetadata, context: SigningContext): VerificationFailure | undefined;
  /** Whether the caller may name the message. */
  readonly takesId?: true;
  /** Every key of the set signs, where a receiver looks for any match; otherwise the primary alone. */
  readonly signWithAll?: boolean;
}

export type HeaderLookup = (name: string) => string | undefined;

/** What the headers of a message claim. */
export interface Received<SignedMetadata> {
  readonly metadata: SignedMetadata;
  /** The texts that stand where a tag is expected; empty when there is none. */
  readonly signatures: readonly string[];
}

/** More than any rotation needs: so many signatures are written at most, and so many looked at. */
export const maxSignatures = 16;
/** Letters, digits, `_` and `-`: a dot would let one id run into what follows it. */
export const idPattern = /^[A-Za-z0-9_-]{1,256}$/;
/** As a timestamp, the id would make the string one that another format signs. */
const signedIdPattern = /^(?![0-9]+$)[A-Za-z0-9_-]{1,256}$/;

const algorithm = 'HS256';

const fields = { body: z.string(), encoding: messageEncoding };
const id = z
  .string()
  .check(
    z.regex(signedIdPattern, 'must be 1 to 256 of A-Z a-z 0-9 _ - without a dot, and not a number alone'),
  );
const signRequest: z.ZodMiniType<WebhookSignRequest> = z.strictObject(fields);
const signRequestWithId: z.ZodMiniType<StandardWebhooksSignRequest> = z.strictObject({
  ...fields,
  id: z.optional(id),
});
const verifyRequest: z.ZodMiniType<WebhookVerifyRequest> = z.strictObject({
  ...fields,
  headers,
});

export const requests = { sign: signRequest, verify: verifyRequest };
export const requestsWithId = { sign: signRequestWithId, verify: verifyRequest };

export function webhook<SignedMetadata>(scheme: Scheme<SignedMetadata>): Format {
  const { name, options, minKeyBytes = 0, secretEncoding = 'text' } = scheme;
  return {
    name,
    options,
    algorithms: [algorithm],
    minKeyBytes: () => minKeyBytes,
    secretEncoding,
    sign: (context, request) => {
      const { body, encoding, id } = parseSignRequest(scheme, request);
      return whole(context, startSigning(scheme, context, id), messageBytes('body', body, encoding));
    },
    verify: (context, request) => {
      const { body, encoding, headers: received } = parse(verifyRequest, request);
      const bytes = messageBytes('body', body, encoding);
      context.checkSize(bytes.length);
      return verify(scheme, context, bytes, lookup(received));
    },
    startSigning: (context) => startSigning(scheme, context),
  };
}

function parseSignRequest<SignedMetadata>(
  { takesId }: Scheme<SignedMetadata>,
  request: unknown,
): StandardWebhooksSignRequest {
  return takesId ? parse(signRequestWithId, request) : parse(signRequest, request);
}

function startSigning<SignedMetadata>(
  scheme: Scheme<SignedMetadata>,
  context: SigningContext,
  id?: string,
): MessageSink<WebhookSignature> {
  const [primary, ...others] = context.keys;
  const metadata = scheme.metadata(context, id);
  const prefix = Buffer.from(scheme.prefix(metadata));
  const start = ({ mac }: typeof primary) => {
    const stream = mac.start();
    stream.update(prefix);
    return stream;
  };
  const first = start(primary);
  const rest = scheme.signWithAll ? others.slice(0, maxSignatures - 1).map(start) : [];
  return {
    update: (part) => {
      first.update(part);
      for (const stream of rest) stream.update(part);
    },
    finish: () => {
      const signatures = rest.map((stream) => encode(stream.digest(), scheme.output));
      const headers = scheme.write(metadata, [encode(first.digest(), scheme.output), ...signatures]);
      return { headers, keyId: primary.id };
    },
  };
}

function verify<SignedMetadata>(
  scheme: Scheme<SignedMetadata>,
  context: SigningContext,
  body: Uint8Array,
  header: HeaderLookup,
): Verification {
  const received = scheme.read(header);
  if (typeof received === 'string') return { valid: false, reason: received };
  const { metadata, signatures } = received;
  if (signatures.length === 0) return { valid: false, reason: 'missing' };
  const given = signatures.slice(0, maxSignatures).flatMap((text) => {
    const tag = decodeExactly(text, scheme.output);
    return tag?.length === tagBytes(algorithm) ? [tag] : [];
  });
  if (given.length === 0) return { valid: false, reason: 'malformed' };
  const prefix = Buffer.from(scheme.prefix(metadata));
  const tags = context.keys.map(({ mac }) => tagOf(mac, prefix, body));
  // All are compared with all, so that the time tells neither which key matched nor which signature.
  const matches = given.map((tag) => indexOfTag(tags, tag)).filter((index) => index >= 0);
  const failure = matches.length === 0 ? undefined : scheme.check(metadata, context);
  if (failure !== undefined) return { valid: false, reason: failure };
  return verification(context.keys, matches.length === 0 ? -1 : Math.min(...matches));
}

/** What stands behind the label that a signature begins with; undefined when it begins otherwise. */
export function afterPrefix(label: string, signature: string): string | undefined {
  return signature.startsWith(label) ? signature.slice(label.length) : undefined;
}

/** A header in several parts is one (RFC 9110 §5.3). @throws {SignerError} `malformed_request`, `message_too_large` */
function lookup(headers: HttpHeaders): HeaderLookup {
  const byName = valuesByName(headers);
  return (name) => byName.get(name)?.join(', ');
}
