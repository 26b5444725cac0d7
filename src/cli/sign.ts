/** `sidecar-signer sign`: a signature by a running signer, or the headers that carry it. */

import type { RawSignature, WebhookSignature } from '../api/messages.ts';
import { call, noSuchKeySet, readMessage, type Target } from './call.ts';

type Signature = RawSignature | WebhookSignature;

export async function sign(key: string, file: string, options: Target & { json?: true }): Promise<void> {
  const answer = await call(options, `/v1/keys/${encodeURIComponent(key)}/sign`, isSignature, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    message: readMessage(file),
    advice: {
      unknown_key: noSuchKeySet,
      unsupported_media_type:
        'this key set signs no plain message; the command is for the raw and webhook formats, without derived keys',
    },
  });
  process.stdout.write(`${options.json ? JSON.stringify(answer) : describe(answer)}\n`);
}

function isSignature(answer: object): answer is Signature {
  if ('signature' in answer) return typeof answer.signature === 'string';
  return 'headers' in answer && typeof answer.headers === 'object' && answer.headers !== null;
}

/** Headers as `curl -H @-` takes them, a line for each. */
function describe(answer: Signature): string {
  if ('signature' in answer) return answer.signature;
  return Object.entries(answer.headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n');
}
