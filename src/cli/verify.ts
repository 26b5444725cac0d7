/** `sidecar-signer verify`: asks a running signer whether a signature is valid, and sets the exit code. */

import { isSignatureText } from '../api/limits.ts';
import type { Verification } from '../api/messages.ts';
import { type CallOptions, callKeySet } from './call.ts';
import { printResult } from './output.ts';

export async function verify(
  key: string,
  signature: string,
  file: string,
  options: CallOptions,
): Promise<void> {
  const request = { key, operation: 'verify', file } as const;
  const headers = { 'sec-signer-signature': signature };
  // Other text cannot be sent in a header.
  const answer: Verification = isSignatureText(signature)
    ? await callKeySet(options, request, isVerification, 'the raw format', headers)
    : { valid: false, reason: 'malformed' };
  printResult(options, answer, formatVerification(answer));
  process.exitCode = answer.valid ? 0 : 1;
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
