/** `sidecar-signer challenge`: answers the challenge of a webhook provider through a running signer. */

import { escapeControls } from '../bytes/text.ts';
import { isChallengeAnswer } from '../client/answer.ts';
import { type CallOptions, callKeySet } from './call.ts';
import { printResult } from './output.ts';

export interface ChallengeOptions extends CallOptions {
  readonly tenant?: string;
}

export async function challenge(
  key: string,
  token: string,
  { tenant, ...signer }: ChallengeOptions,
): Promise<void> {
  const request = Buffer.from(JSON.stringify({ token, tenant }));
  const answer = await callKeySet(signer, key, 'challenge', { request }, isChallengeAnswer);
  printResult(signer, answer, escapeControls(answer.response));
}
