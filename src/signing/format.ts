/**
 * The interface of a format: how one kind of signature is written and read. A format receives keys only as MACs, never
 * as key bytes, and sees neither files nor HTTP requests. The formats themselves are in formats/.
 */

import type { Formats, Verification } from '../api/messages.ts';
import type { Algorithm, Key, MessagePart } from './mac.ts';

/** How key bytes are written as text. With `text`, the bytes of the text are the key. */
export type TextEncoding = 'text' | 'hex' | 'base64' | 'base64url' | 'whsec';

/** A format together with the options of one key set. */
export interface Format {
  readonly name: keyof Formats;
  /** The options in use, defaults included, as `GET /v1/keys` shows them. */
  readonly options: object;
  /** The algorithms that its keys may have; the first is the default. */
  readonly algorithms: readonly [Algorithm, ...Algorithm[]];
  /** The length of the shortest key that the format accepts. Absent if it accepts every length. */
  readonly minKeyBytes?: (algorithm: Algorithm) => number;
  /** ASCII text that the signer puts in front of the secret to form the key. */
  readonly keyPrefix?: string;
  /** The encoding in which receivers expect a secret. Default: `hex`. */
  readonly secretEncoding?: TextEncoding;
  /** @throws {SignerError} `malformed_request`, `operation_not_allowed`, `unprocessable`, `message_too_large` */
  sign(context: SigningContext, request: unknown): object;
  /**
   * Returns `valid: false` for a wrong signature, which is not an error.
   * @throws {SignerError} `malformed_request`, `message_too_large`
   */
  verify(context: SigningContext, request: unknown): Verification;
  /**
   * Proves to whoever sends the token that the key is known. Absent if the format has no such request.
   * @throws {SignerError} `malformed_request`
   */
  readonly challenge?: (context: SigningContext, request: unknown) => object;
  /** What to tell about the options that were chosen. Each completes the sentence "this key set …". */
  readonly warnings?: readonly string[];
  /** Set if numbers of a sign request are signed as JSON. Its JSON is then parsed without losing digits. */
  readonly exactNumbers?: true;
  /**
   * Signs a message that is the request body itself. Absent if a request of this format is more than a message.
   * @throws {SignerError} `malformed_request`
   */
  readonly startSigning?: (context: SigningContext, header: HeaderLookup) => MessageSink<object>;
  /**
   * Verifies a message that is the request body itself. HTTP headers carry the signature. Present wherever `startSigning` is.
   * @throws {SignerError} `malformed_request`
   */
  readonly startVerification?: (context: SigningContext, header: HeaderLookup) => MessageSink<Verification>;
  /** The names, in lower case, of the headers that `startVerification` reads. */
  readonly verificationHeaders?: readonly string[];
}

/** Returns the value of an HTTP header by its name in lower case. A repeated header is one list (RFC 9110 §5.3). */
export type HeaderLookup = (name: string) => string | undefined;

/** What a format needs for one signature or verification. */
export interface SigningContext {
  /** The primary first. It signs; all of them verify. */
  readonly keys: readonly [Key, ...Key[]];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Returns unpredictable bytes. */
  random(size: number): Buffer;
  /** A format calls this with the size of the message before it signs. @throws {SignerError} `message_too_large` */
  checkSize(messageBytes: number): void;
  /** Present if there is an audit. A format fills in what it may tell of a signature that it made or found valid. */
  readonly notes?: Notes | undefined;
}

/** What the audit may record of one operation: never a key, a message, a token or a tag. */
export interface Notes {
  tenant?: string;
  /** The length of the message. */
  bytes?: number;
  /** The id of the key, where the answer does not have it. */
  keyId?: string;
  /** The text of the tag as it is written, without what stands around it. The audit records a hash of it. */
  signature?: string;
  about?: About;
}

/** What a format tells about the signed message. The audit writes texts, numbers and lists of texts, and leaves out the rest. */
export type About = Readonly<Record<string, unknown>>;

/** Receives a message in any number of parts. The caller calls `finish` once, after the last part. */
export interface MessageSink<Answer> {
  update(part: MessagePart): void;
  finish(): Answer;
}

/** Feeds an in-memory message through the streaming interface. */
export function feed<A>(context: SigningContext, sink: MessageSink<A>, message: MessagePart): A {
  context.checkSize(Buffer.byteLength(message));
  sink.update(message);
  return sink.finish();
}
