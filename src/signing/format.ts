/**
 * What a format is: how one kind of signature is written and read. A format receives keys with their MACs, never key
 * bytes, a file or a request; the formats themselves are in formats/.
 */

import type { Verification } from '../api/messages.ts';
import type { Algorithm, Key } from './mac.ts';

/** A text that stands for key bytes; of `text`, the key is the text itself. */
export type TextEncoding = 'text' | 'hex' | 'base64' | 'base64url' | 'whsec';

/** A format together with the options that one key set gives it. */
export interface Format {
  readonly name: string;
  /** The options in force, as `GET /v1/keys` shows them. */
  readonly options: object;
  /** Which algorithms its keys may have; the first is the default. */
  readonly algorithms: readonly [Algorithm, ...Algorithm[]];
  /** The shortest key it takes. */
  readonly minKeyBytes: (algorithm: Algorithm) => number;
  /** ASCII that stands before the secret in the bytes of its keys. */
  readonly keyPrefix?: string;
  /** How its receivers are given a secret. Default: `hex`. */
  readonly secretEncoding?: TextEncoding;
  /** @throws {SignerError} `malformed_request`, `operation_not_allowed`, `unprocessable`, `message_too_large` */
  sign(context: SigningContext, request: unknown): object;
  /** A wrong signature is an answer. @throws {SignerError} `malformed_request`, `message_too_large` */
  verify(context: SigningContext, request: unknown): Verification;
  /** Set where the numbers of a sign request are signed as JSON, so that they must arrive as they were written. */
  readonly exactNumbers?: true;
  /** Signs a message that is the request body itself. Absent where a request is more than a message. */
  readonly startSigning?: (context: SigningContext) => MessageSink<object>;
  /** Verifies such a message by the signature in a header. */
  readonly startVerification?: (context: SigningContext, signature: string) => MessageSink<Verification>;
}

/** What a format has for one signature or verification. */
export interface SigningContext {
  /** The primary first. It signs; every one of them verifies. */
  readonly keys: readonly [Key, ...Key[]];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Unpredictable bytes. */
  random(size: number): Buffer;
  /** Is told the message's size before any of it is signed. @throws {SignerError} `message_too_large` */
  checkSize(messageBytes: number): void;
}

/** Takes a message in any number of parts; `finish` is called once, after the last. */
export interface MessageSink<Answer> {
  update(part: Uint8Array): void;
  finish(): Answer;
}

/** A message that is there at once, through the door of those that come in parts. */
export function whole<A>(context: SigningContext, signing: MessageSink<A>, message: Uint8Array): A {
  context.checkSize(message.length);
  signing.update(message);
  return signing.finish();
}

/** The answer of a verification by these keys: `index` is that of the key that matched, or -1. */
export function verification(keys: readonly Key[], index: number): Verification {
  const key = keys[index];
  return key === undefined
    ? { valid: false, reason: 'mismatch' }
    : { valid: true, keyId: key.id, primary: index === 0 };
}
