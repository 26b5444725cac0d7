/** `sidecar-signer sign`: gets a signature from a running signer, or the headers that carry it. */

import type { RawSignature, WebhookSignature } from '../api/messages.ts';
import { type CallOptions, callKeySet } from './call.ts';
import { printResult } from './output.ts';

type Signature = RawSignature | WebhookSignature;

export async function sign(key: string, file: string, options: CallOptions): Promise<void> {
  const request = { key, operation: 'sign', file } as const;
  const answer = await callKeySet(options, request, isSignature, 'the raw and webhook formats');
  printResult(options, answer, formatSignature(answer));
}

function isSignature(answer: object): answer is Signature {
  if ('signature' in answer) return typeof answer.signature === 'string';
  return 'headers' in answer && typeof answer.headers === 'object' && answer.headers !== null;
}

/** Writes one header per line, as `curl -H @-` reads them. */
function formatSignature(answer: Signature): string {
  if ('signature' in answer) return answer.signature;
  return Object.entries(answer.headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n');
}
