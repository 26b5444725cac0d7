/** Private memory of the signer: idle, and after a million requests. */

import { setTimeout as delay } from 'node:timers/promises';
import { privateMemory } from '../support/process.ts';
import { type Figure, format, progress } from './report.ts';
import { type Start, startServer } from './server.ts';
import { type Load, runWrk } from './wrk.ts';

const manyRequests = 1_000_000;

export async function measureMemory(
  directory: string,
  signer: Start,
  load: Load,
): Promise<readonly Figure[]> {
  await using server = await startServer(signer, load.path);
  // What start-up left behind is collected soon after it, and so is what a load left.
  const settled = () => delay(5000);
  await settled();
  const mebibytes = () => privateMemory(server) / 2 ** 20;
  const idle = mebibytes();
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, mebibytes());
  }, 50);
  let requests = 0;
  while (requests < manyRequests) {
    progress(`memory: ${format(requests)} of ${format(manyRequests)} requests`);
    requests += (await runWrk(directory, server.port, load, 5)).requests;
  }
  clearInterval(watch);
  await settled();
  const after = mebibytes();
  return [
    { name: 'private memory, idle', value: idle, unit: 'MiB', target: { atMost: 10.7 } },
    {
      name: 'private memory, after a million requests',
      value: after,
      unit: 'MiB',
      target: { atMost: 11.5 },
      detail: `after ${format(requests)}, at most ${format(peak)} MiB meanwhile`,
    },
  ];
}
