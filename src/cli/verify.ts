/** `sidecar-signer verify`: whether a signature is valid, as an exit code. */

import { isSignatureText } from '../api/limits.ts';
import type { Verification } from '../api/messages.ts';
import { call, noSuchKeySet, readMessage, type Target } from './call.ts';

export async function verify(
  key: string,
  signature: string,
  file: string,
  options: Target & { json?: true },
): Promise<void> {
  const answer: Verification = isSignatureText(signature)
    ? await call(options, `/v1/keys/${encodeURIComponent(key)}/verify`, isVerification, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream', 'sec-signer-signature': signature },
        message: readMessage(file),
        advice: {
          unknown_key: noSuchKeySet,
          unsupported_media_type:
            'this key set verifies no plain message; the command is for the raw format, without derived keys',
        },
      })
    : { valid: false, reason: 'malformed' };
  process.stdout.write(`${options.json ? JSON.stringify(answer) : describe(answer)}\n`);
  process.exitCode = answer.valid ? 0 : 1;
}

function isVerification(answer: object): answer is Verification {
  if (!('valid' in answer)) return false;
  return answer.valid === true
    ? 'keyId' in answer && 'primary' in answer
    : answer.valid === false && 'reason' in answer;
}

function describe(answer: Verification): string {
  if (!answer.valid) return `not valid: ${answer.reason}`;
  return `valid, by ${answer.primary ? 'the primary key' : 'an earlier key'} ${answer.keyId}`;
}
