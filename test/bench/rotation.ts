/** How long from the swap of the volume to the first signature by the new key. */

import { createHmac, randomBytes } from 'node:crypto';
import { Agent } from 'node:http';
import { post } from '../support/exchange.ts';
import { temporaryDirectory } from '../support/signer.ts';
import { startWriter } from '../support/writer-process.ts';
import { signer } from './contenders.ts';
import { type Figure, format, median, percentile, progress } from './report.ts';
import { type Server, startServer } from './server.ts';
import { type Load, runWrk } from './wrk.ts';

const message = 'hello';
const path = '/v1/keys/rotating/sign';

export async function measureRotation(
  directory: string,
  load: Load,
  swaps: number,
): Promise<readonly Figure[]> {
  using volume = temporaryDirectory();
  const writer = startWriter();
  const write = (secret: string) => writer.call.write(volume.path, { rotating: secret });
  await write(randomBytes(32).toString('hex'));
  await using server = await startServer(signer(volume.path), path);
  const agent = new Agent({ keepAlive: true });

  const latency = async (): Promise<number> => {
    const secret = randomBytes(32).toString('hex');
    const expected = createHmac('sha256', secret).update(message).digest('hex');
    // From when the other process is told to write, so it can only seem slower than it is.
    const started = performance.now();
    const written = write(secret);
    for (;;) {
      const { body } = await post(`http://127.0.0.1:${server.port}`, path, { message }, { agent });
      if (body['signature'] !== expected) continue;
      const took = performance.now() - started;
      await written;
      return took;
    }
  };
  const series = async (when: string): Promise<number[]> => {
    const latencies: number[] = [];
    for (let run = 1; run <= swaps; run++) {
      progress(`rotation ${when}: ${run} of ${swaps}`);
      latencies.push(await latency());
    }
    return latencies;
  };

  const idle = await series('of an idle signer');
  const end = underLoad(directory, server, { ...load, path });
  const loaded = await series('under full load');
  await end();
  agent.destroy();
  writer.kill();
  const figure = (when: string, latencies: readonly number[], atMost: number): Figure => ({
    name: `swap to first new signature, p99, ${when}`,
    value: percentile(latencies, 99),
    unit: 'ms',
    target: { atMost },
    detail: `p50 ${format(median(latencies))} ms, slowest of ${swaps}: ${format(Math.max(...latencies))} ms`,
  });
  return [figure('idle', idle, 20), figure('under full load', loaded, 50)];
}

/** Keeps the server busy; what is returned ends it. */
function underLoad(directory: string, server: Server, load: Load): () => Promise<void> {
  let ended = false;
  const run = async () => {
    while (!ended) await runWrk(directory, server.port, load, 1);
  };
  const running = run();
  return async () => {
    ended = true;
    await running;
  };
}
