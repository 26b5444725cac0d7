/** `sidecar-signer keys list`: the key sets of a running signer and the ids of their keys; to watch a rotation by. */

import type { KeySetDescription } from '../../wire.ts';
import { call, type Target } from '../call.ts';

export async function keysList(options: Target & { readonly json?: true }): Promise<void> {
  const answer = await call<{ readonly keys: readonly KeySetDescription[] }>(options, '/v1/keys');
  const width = Math.max(...answer.keys.map(({ name }) => name.length));
  const lines = answer.keys.map((keySet) => `${describe(keySet, width)}\n`);
  process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : lines.join(''));
}

function describe({ name, format, algorithm, keyIds, primary }: KeySetDescription, width: number): string {
  const others = keyIds.filter((id) => id !== primary);
  const more = others.length === 0 ? '' : `, also verifies ${others.join(', ')}`;
  return `${name.padEnd(width)}  ${format}  ${algorithm}  primary ${primary}${more}`;
}
