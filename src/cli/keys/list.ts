/** `sidecar-signer keys list`: the key sets of a running signer and the ids of their keys; to watch a rotation by. */

import type { KeySetDescription } from '../../api/messages.ts';
import { call, type Target } from '../call.ts';

interface Listing {
  readonly keys: readonly KeySetDescription[];
}

export async function keysList(options: Target & { readonly json?: true }): Promise<void> {
  const answer = await call(options, '/v1/keys', isListing);
  const width = Math.max(...answer.keys.map(({ name }) => name.length));
  const lines = answer.keys.map((keySet) => `${describe(keySet, width)}\n`);
  process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : lines.join(''));
}

export function isListing(answer: object): answer is Listing {
  if (!('keys' in answer && Array.isArray(answer.keys))) return false;
  const texts = ['name', 'format', 'algorithm', 'primary'];
  return answer.keys.every(
    (keySet) => Array.isArray(keySet?.keyIds) && texts.every((field) => typeof keySet[field] === 'string'),
  );
}

function describe({ name, format, algorithm, keyIds, primary }: KeySetDescription, width: number): string {
  const others = keyIds.filter((id) => id !== primary);
  const more = others.length === 0 ? '' : `, also verifies ${others.join(', ')}`;
  return `${name.padEnd(width)}  ${format}  ${algorithm}  primary ${primary}${more}`;
}
