/** `sidecar-signer verify`: asks a running signer whether a signature is valid, and sets the exit code. */

import { isSignatureText } from '../api/limits.ts';
import type { HttpHeaders, Verification } from '../api/messages.ts';
import { receivedHeaders } from '../client/received-headers.ts';
import { type CallOptions, callKeySet } from './call.ts';
import { CommandFailure } from './failure.ts';
import { printResult } from './output.ts';

export interface VerifyOptions extends CallOptions {
  /** The headers of a webhook, which carry its signature; empty for the format `raw`. */
  readonly header: HttpHeaders;
}

/** @param signature for the format `raw`; ignored if headers carry the signature */
export async function verify(
  key: string,
  signature: string,
  file: string,
  { header, ...signer }: VerifyOptions,
): Promise<void> {
  const request = { key, operation: 'verify', file } as const;
  const byHeaders = Object.keys(header).length > 0;
  // The command does not know the format of the key set.
  const headers = byHeaders ? receivedHeaders(header) : signatureHeader(signature);
  // Other text cannot be sent in a header.
  const answer: Verification =
    headers === undefined
      ? { valid: false, reason: 'malformed' }
      : await callKeySet(signer, request, isVerification, 'the raw and webhook formats', headers);
  if (!byHeaders && !answer.valid && answer.reason === 'missing') {
    throw new CommandFailure(
      'the format of this key set takes its signature from headers: sidecar-signer verify KEY --header @FILE [BODY]',
    );
  }
  printResult(signer, answer, formatVerification(answer));
  process.exitCode = answer.valid ? 0 : 1;
}

function signatureHeader(signature: string): Readonly<Record<string, string>> | undefined {
  return isSignatureText(signature) ? { 'sec-signer-signature': signature } : undefined;
}

function isVerification(answer: object): answer is Verification {
  if (!('valid' in answer)) return false;
  return answer.valid === true
    ? 'keyId' in answer && 'primary' in answer
    : answer.valid === false && 'reason' in answer;
}

function formatVerification(answer: Verification): string {
  if (!answer.valid) return `not valid: ${answer.reason}`;
  return `valid, by ${answer.primary ? 'the primary key' : 'an earlier key'} ${answer.keyId}`;
}
