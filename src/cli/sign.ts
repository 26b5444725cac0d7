/** `sidecar-signer sign`: a signature by a running signer, or the headers that carry it. */

import type { RawSignature, WebhookSignature } from '../wire.ts';
import { call, noSuchKeySet, readMessage, type Target } from './call.ts';

export async function sign(key: string, file: string, options: Target & { json?: true }): Promise<void> {
  const answer = await call<RawSignature | WebhookSignature>(
    options,
    `/v1/keys/${encodeURIComponent(key)}/sign`,
    {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      message: readMessage(file),
      advice: {
        unknown_key: noSuchKeySet,
        unsupported_media_type:
          'this key set signs no plain message; the command is for the raw and webhook formats, without derived keys',
      },
    },
  );
  process.stdout.write(`${options.json ? JSON.stringify(answer) : describe(answer)}\n`);
}

/** Headers as `curl -H @-` takes them, a line for each. */
function describe(answer: RawSignature | WebhookSignature): string {
  if ('signature' in answer) return answer.signature;
  return Object.entries(answer.headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n');
}
