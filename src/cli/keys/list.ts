/** `sidecar-signer keys list`: the key sets of a running signer with the ids of their keys, for instance to watch a rotation. */

import type { KeySetDescription, KeySetList } from '../../api/messages.ts';
import { escapeControls } from '../../bytes/text.ts';
import { type CallOptions, callSigner } from '../call.ts';
import { printResult } from '../output.ts';

export async function keysList(options: CallOptions): Promise<void> {
  const answer = await callSigner(options, '/v1/keys', isListing);
  const width = Math.max(...answer.keys.map(({ name }) => name.length));
  const lines = answer.keys.map((keySet) => escapeControls(formatKeySet(keySet, width)));
  const none = `no key set may be used by the caller "${escapeControls(answer.caller)}"`;
  printResult(options, answer, lines.length === 0 ? none : lines.join('\n'));
}

export function isListing(answer: object): answer is KeySetList {
  if (!('keys' in answer && Array.isArray(answer.keys))) return false;
  if (!('caller' in answer && typeof answer.caller === 'string')) return false;
  const texts = ['name', 'format', 'algorithm', 'primary'];
  return answer.keys.every(
    (keySet) => Array.isArray(keySet?.keyIds) && texts.every((field) => typeof keySet[field] === 'string'),
  );
}

function formatKeySet(
  { name, format, algorithm, keyIds, primary }: KeySetDescription,
  width: number,
): string {
  const others = keyIds.filter((id) => id !== primary);
  const more = others.length === 0 ? '' : `, also verifies ${others.join(', ')}`;
  return `${name.padEnd(width)}  ${format}  ${algorithm}  primary ${primary}${more}`;
}
