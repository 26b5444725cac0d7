/**
 * What the webhook formats share: they sign the exact bytes of the body, and headers carry the signature. A `Scheme`
 * says how a provider writes them; body-only.ts and timestamped.ts build schemes.
 */

import * as z from 'zod/mini';
import type {
  BytesEncoding,
  HttpHeaders,
  MessageHeaders,
  StandardWebhooksSignRequest,
  VerificationFailure,
  WebhookProof,
  WebhookSignature,
  WebhookVerification,
  WebhookVerifyRequest,
} from '../../api/messages.ts';
import { parse } from '../../api/schema.ts';
import { type WebhookName, webhookHeaders } from '../../api/webhook-headers.ts';
import { decodeExactly, encode } from '../../bytes/encoding.ts';
import {
  feed,
  type HeaderLookup,
  type MessageSink,
  type SigningContext,
  type TextEncoding,
} from '../../signing/format.ts';
import { type Key, type MacStream, tagBytes } from '../../signing/mac.ts';
import { invalid, verifyTag } from '../../signing/verify-tag.ts';
import { headersAnswer, text } from '../answers.ts';
import { defineFormat, type FormatDefinition } from '../definition.ts';
import { headers, valuesByName } from '../headers.ts';
import { messageBytes, messageEncoding } from '../message.ts';

/** How a provider signs and writes. `SignedMetadata` is what is signed in addition to the body. */
export interface Scheme<SignedMetadata> {
  readonly options: object;
  readonly minKeyBytes?: number;
  /** The encoding in which receivers expect a secret. Default: `text`. */
  readonly secretEncoding?: TextEncoding;
  /** How a tag is written. */
  readonly output: BytesEncoding;
  /** Creates the metadata of a new message, with the id of the request if it has one. */
  metadata(context: SigningContext, id: string | undefined): SignedMetadata;
  /** The text that is signed before the body. The caller must not be able to choose its syntax. */
  prefix(metadata: SignedMetadata): string;
  /** @param signatures of the keys that sign, the primary's first */
  write(metadata: SignedMetadata, signatures: readonly [string, ...string[]]): MessageHeaders;
  /** Looks up no other headers than those that {@link webhookHeaders} lists for the format. */
  read(header: HeaderLookup): Received<SignedMetadata> | VerificationFailure;
  /** Checks metadata whose signature is valid; returns why it is not accepted. */
  check(metadata: SignedMetadata, context: SigningContext): VerificationFailure | undefined;
  /** What a valid signature proves in addition to its key. */
  proof(metadata: SignedMetadata): WebhookProof;
  /** Whether every key of the set signs, for receivers that accept any match. Default: only the primary signs. */
  readonly signWithAll?: boolean;
}

/** What the headers of a received message say. */
export interface Received<SignedMetadata> {
  readonly metadata: SignedMetadata;
  /** The signatures as text, not decoded yet; empty if there is none. */
  readonly signatures: readonly string[];
}

/** The most signatures that are written, and that are checked. This is more than a rotation needs. */
export const maxSignatures = 16;
/** Not a number, because the signed string could then be one of another format, which begins with a timestamp. */
const signedIdPattern = /^(?![0-9]+$)[A-Za-z0-9_-]{1,256}$/;

const algorithm = 'HS256';

const fields = { body: text, encoding: messageEncoding };
const id = z
  .string()
  .check(
    z.regex(signedIdPattern, 'must be 1 to 256 of A-Z a-z 0-9 _ - without a dot, and not a number alone'),
  );
const verify: z.ZodMiniType<WebhookVerifyRequest> = z.strictObject({ ...fields, headers });

interface Requests {
  readonly sign: z.ZodMiniType<StandardWebhooksSignRequest>;
  readonly verify: typeof verify;
}
export const requests: Requests = { sign: z.strictObject(fields), verify };
export const requestsWithId: Requests = { sign: z.strictObject({ ...fields, id: z.optional(id) }), verify };

export function defineWebhook<F extends FormatDefinition['fields'], SignedMetadata>(
  name: WebhookName,
  fields: F,
  requests: Requests,
  verification: z.ZodMiniType<WebhookVerification>,
  createScheme: (configured: z.infer<z.ZodMiniObject<F>>) => Scheme<SignedMetadata>,
): FormatDefinition {
  return defineFormat({
    name,
    fields,
    requests,
    answers: { signature: headersAnswer, verification },
    create: (configured) => {
      const scheme = createScheme(configured);
      const { options, minKeyBytes = 0, secretEncoding = 'text' } = scheme;
      return {
        options,
        algorithms: [algorithm],
        minKeyBytes: () => minKeyBytes,
        secretEncoding,
        sign: (context, request) => {
          const { body, encoding, id } = parse(requests.sign, request);
          return feed(context, startSigning(scheme, context, id), messageBytes('body', body, encoding));
        },
        verify: (context, request) => {
          const { body, encoding, headers } = parse(verify, request);
          const bytes = messageBytes('body', body, encoding);
          return feed(context, startVerification(scheme, context, lookup(headers)), bytes);
        },
        startSigning: (context) => startSigning(scheme, context),
        startVerification: (context, header) => startVerification(scheme, context, header),
        verificationHeaders: webhookHeaders[name],
      };
    },
  });
}

function startSigning<SignedMetadata>(
  scheme: Scheme<SignedMetadata>,
  context: SigningContext,
  id?: string,
): MessageSink<WebhookSignature> {
  const [primary, ...others] = context.keys;
  const metadata = scheme.metadata(context, id);
  const start = starter(scheme, metadata);
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

function startVerification<SignedMetadata>(
  scheme: Scheme<SignedMetadata>,
  context: SigningContext,
  header: HeaderLookup,
): MessageSink<WebhookVerification> {
  const received = scheme.read(header);
  if (typeof received === 'string') return refusing(received);
  const { metadata, signatures } = received;
  if (signatures.length === 0) return refusing('missing');
  const tags = signatures.slice(0, maxSignatures).flatMap((signature) => {
    const tag = decodeExactly(signature, scheme.output);
    return tag?.length === tagBytes(algorithm) ? [tag] : [];
  });
  if (tags.length === 0) return refusing('malformed');
  const start = starter(scheme, metadata);
  const keys = context.keys.map((key) => ({ id: key.id, mac: key.mac, stream: start(key) }));
  return {
    update: (part) => {
      for (const { stream } of keys) stream.update(part);
    },
    finish: () => {
      const answer = verifyTag(keys, tags, ({ stream }) => stream.digest());
      if (!answer.valid) return answer;
      const failure = scheme.check(metadata, context);
      return failure === undefined ? { ...answer, ...scheme.proof(metadata) } : invalid(failure);
    },
  };
}

/** Begins the signed string with what comes before the body. */
function starter<SignedMetadata>(scheme: Scheme<SignedMetadata>, metadata: SignedMetadata) {
  const prefix = Buffer.from(scheme.prefix(metadata));
  return ({ mac }: Key): MacStream => {
    const stream = mac.start();
    stream.update(prefix);
    return stream;
  };
}

/** The answer does not depend on the body. */
function refusing(reason: VerificationFailure): MessageSink<WebhookVerification> {
  return { update: () => undefined, finish: () => invalid(reason) };
}

/** The rest of a signature after its label; undefined if it does not begin with the label. */
export function afterPrefix(label: string, signature: string): string | undefined {
  return signature.startsWith(label) ? signature.slice(label.length) : undefined;
}

/** The items of a list in a header, without the optional white space around them (RFC 9110 §5.6.1). */
export function listItems(value: string): readonly string[] {
  return value.split(',').map(withoutOuterSpace);
}

/** Not `trim`, which also removes line breaks and other characters that no header may hold. */
function withoutOuterSpace(text: string): string {
  let [start, end] = [0, text.length];
  while (isSpace(text[start])) start++;
  while (end > start && isSpace(text[end - 1])) end--;
  return text.slice(start, end);
}

function isSpace(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}

/**
 * Joins a repeated header by commas (RFC 9110 §5.3).
 * @throws {SignerError} `malformed_request`, `message_too_large`
 */
function lookup(headers: HttpHeaders): HeaderLookup {
  const byName = valuesByName(headers);
  return (name) => byName.get(name)?.join(', ');
}
