/** Follows the volume at `/keys` with the library: one line for each generation, with the time of the kubelet's swap. */

import { lstatSync } from 'node:fs';
import { type Change, openVolume } from '../../src/secret-volume/index.ts';

/** Times in milliseconds since the epoch. */
export interface Followed extends Change {
  readonly names: readonly string[];
  readonly at: number;
  readonly swappedAt: number;
}

const volume = openVolume('/keys');
volume.onChange((change) => {
  const at = Date.now();
  const names = volume.current?.names ?? [];
  const line: Followed = { ...change, names, at, swappedAt: lstatSync('/keys/..data').mtimeMs };
  process.stdout.write(`${JSON.stringify(line)}\n`);
});
