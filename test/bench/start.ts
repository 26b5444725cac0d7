/** How long from the start of the process to its first signature, beside a server that does nothing else. */

import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../support/free-port.ts';
import { type Figure, format, median, progress } from './report.ts';
import { type Start, signs, spawnServer } from './server.ts';

/** How often a start is asked whether it signs, in milliseconds. */
const pollMs = 2;

export async function measureStart(
  { plain, configured, bare }: Readonly<Record<'plain' | 'configured' | 'bare', Start>>,
  runs: number,
): Promise<readonly Figure[]> {
  const measured = [plain, configured, bare].map((start) => ({ start, times: [] as number[] }));
  // The first start of each fills the page cache.
  for (const { start } of measured) await startToSignature(start);
  for (let run = 1; run <= runs; run++) {
    progress(`start to first signature: ${run} of ${runs}`);
    for (const { start, times } of measured) times.push(await startToSignature(start));
  }
  const [own, withConfiguration, baseline] = measured.map(({ times }) => median(times)) as [
    number,
    number,
    number,
  ];
  return [
    {
      name: 'start to first signature',
      value: own,
      unit: 'ms',
      target: { atMost: 80 },
      detail: `median of ${runs}; bare Bun.serve ${format(baseline)} ms`,
    },
    { name: '… over bare Bun.serve', value: own - baseline, unit: 'ms', target: { atMost: 25 } },
    {
      name: '… with a configuration',
      value: withConfiguration,
      unit: 'ms',
      detail: 'of three formats',
    },
  ];
}

async function startToSignature(start: Start): Promise<number> {
  const port = await freePort();
  const started = performance.now();
  await using _ = spawnServer(start, port);
  while (!(await signs(port, '/v1/keys/demo/sign'))) {
    if (performance.now() - started > 10_000) throw new Error('the server did not start');
    await delay(pollMs);
  }
  return performance.now() - started;
}
