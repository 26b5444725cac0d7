/** `sidecar-signer sign`: gets a signature from a running signer, as the format of the key set writes it. */

import { formatSignature, isSignature } from './answer-text.ts';
import { type CallOptions, callKeySet, describeKeySet, type RequestContent } from './call.ts';
import { printResult } from './output.ts';
import { headersOfTarget, type Target } from './webhook-target.ts';

/** A message in a file. */
export interface Message {
  readonly file: string;
  readonly target: Target;
}

export async function sign(key: string, given: Message | RequestContent, signer: CallOptions): Promise<void> {
  const content = 'request' in given ? given : await contentOf(key, given, signer);
  const answer = await callKeySet(signer, key, 'sign', content, isSignature);
  printResult(signer, answer, signer.json ? '' : formatSignature(answer));
}

async function contentOf(key: string, { file, target }: Message, signer: CallOptions) {
  if (Object.keys(target).length === 0) return { file, headers: {} };
  return { file, headers: headersOfTarget(target, await describeKeySet(signer, key)) };
}
