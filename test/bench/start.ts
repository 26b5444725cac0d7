/** How long from the start of the process to its first signature, beside a server that does nothing else. */

import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../support/free-port.ts';
import { type Figure, format, median, progress } from './report.ts';
import { type Start, signs, spawnServer } from './server.ts';

export async function measureStart(signer: Start, bunServe: Start, runs: number): Promise<readonly Figure[]> {
  // The first start of each fills the page cache.
  await startToSignature(signer);
  await startToSignature(bunServe);
  const times: Record<'signer' | 'bunServe', number[]> = { signer: [], bunServe: [] };
  for (let run = 1; run <= runs; run++) {
    progress(`start to first signature: ${run} of ${runs}`);
    times.bunServe.push(await startToSignature(bunServe));
    times.signer.push(await startToSignature(signer));
  }
  const [own, bare] = [median(times.signer), median(times.bunServe)];
  return [
    {
      name: 'start to first signature, over bare Bun.serve',
      value: own - bare,
      unit: 'ms',
      target: { atMost: 25 },
      detail: `${format(own)} ms over ${format(bare)} ms, medians of ${runs}`,
    },
  ];
}

async function startToSignature(start: Start): Promise<number> {
  const port = await freePort();
  const started = performance.now();
  await using _ = spawnServer(start, port);
  while (!(await signs(port, '/v1/keys/demo/sign'))) {
    if (performance.now() - started > 10_000) throw new Error('the server did not start');
    await delay(1);
  }
  return performance.now() - started;
}
