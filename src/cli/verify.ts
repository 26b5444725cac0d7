/** `sidecar-signer verify`: asks a running signer whether a signature is valid, and sets the exit code. */

import { isSignatureText, streamedFormats } from '../api/limits.ts';
import { signatureHeader } from '../api/message-headers.ts';
import type { Formats, HttpHeaders, Verification } from '../api/messages.ts';
import { receivedHeaders } from '../client/received-headers.ts';
import { formatVerification, isVerification } from './answer-text.ts';
import {
  type CallOptions,
  type Content,
  callKeySet,
  type Described,
  describeKeySet,
  type RequestContent,
  requestNeeded,
} from './call.ts';
import { CommandFailure } from './failure.ts';
import { printResult } from './output.ts';
import type { Message } from './sign.ts';
import { headersOfTarget } from './webhook-target.ts';

/** A message in a file, and what came with it. */
export interface ReceivedMessage extends Message {
  /** The headers of a webhook, which carry its signature, or the signature itself for the format `raw`. */
  readonly signature: HttpHeaders | string;
}

export async function verify(
  key: string,
  given: ReceivedMessage | RequestContent,
  signer: CallOptions,
): Promise<void> {
  const content = 'request' in given ? given : await contentOf(key, given, signer);
  const answer: Verification =
    content === undefined
      ? { valid: false, reason: 'malformed' }
      : await callKeySet(signer, key, 'verify', content, isVerification);
  const isBare = 'signature' in given && typeof given.signature === 'string';
  if (isBare && !answer.valid && answer.reason === 'missing') {
    throw new CommandFailure(
      'the format of this key set takes its signature from headers: sidecar-signer verify KEY --header @FILE [BODY]',
    );
  }
  printResult(signer, answer, formatVerification(answer));
  process.exitCode = answer.valid ? 0 : 1;
}

/** Undefined if the signature is text that no header can hold, which is malformed for every message. */
async function contentOf(
  key: string,
  { file, signature, target }: ReceivedMessage,
  signer: CallOptions,
): Promise<Content | undefined> {
  if (typeof signature === 'string') {
    return isSignatureText(signature) ? { file, headers: { [signatureHeader]: signature } } : undefined;
  }
  // The format decides which headers are passed on: the others may hold secrets, such as `Authorization`.
  const described = await describeKeySet(signer, key);
  const received = receivedHeaders(signature, webhookFormat(described));
  const beside = headersOfTarget(target, described);
  return received && { file, headers: { ...received, ...beside } };
}

function webhookFormat({ format }: Described): keyof Formats {
  if (!streamedFormats.includes(format)) throw new CommandFailure(requestNeeded);
  if (format !== 'raw') return format;
  throw new CommandFailure(
    'the format of this key set is raw, which has no headers: sidecar-signer verify KEY SIGNATURE [FILE]',
  );
}
