/** `sidecar-signer sign`: a signature by a running signer. */

import type { RawSignature } from '../wire.ts';
import { call, readMessage, type Target } from './call.ts';

export async function sign(key: string, file: string, options: Target & { json?: true }): Promise<void> {
  const answer = await call<RawSignature>(options, `/v1/keys/${encodeURIComponent(key)}/sign`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: readMessage(file),
  });
  process.stdout.write(`${options.json ? JSON.stringify(answer) : answer.signature}\n`);
}
