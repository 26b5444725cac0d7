/** `npm run bench`: every figure that the signer is held to, measured in one run on this machine. */

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeVolume } from '../support/atomic-writer.ts';
import { temporaryDirectory } from '../support/signer.ts';
import { compileBunServe, haproxy, njs, nodeHttp, signer } from './contenders.ts';
import { measureMemory } from './memory.ts';
import { type Figure, isMet, printJson, printTable, progress } from './report.ts';
import { measureRotation } from './rotation.ts';
import { type Server, type Start, startServer } from './server.ts';
import { measureStart } from './start.ts';
import { type Contender, configuration, measureThroughput, raw, scenarios } from './throughput.ts';
import { wrkIsInstalled } from './wrk.ts';

const groups = ['throughput', 'start', 'memory', 'rotation'] as const;
type Group = (typeof groups)[number];

async function measure(wanted: ReadonlySet<string>, rounds: number): Promise<readonly Figure[]> {
  using directory = temporaryDirectory();
  using keys = temporaryDirectory();
  const key = Buffer.from(randomBytes(32).toString('hex'));
  const others = { session: randomBytes(32), orders: randomBytes(32) };
  writeVolume(keys.path, { demo: key, ...others });
  const own = signer(keys.path);
  const config = join(directory.path, 'signer.yaml');
  writeFileSync(config, configuration);
  progress('compiling the baseline');
  const bunServe = compileBunServe(directory.path);

  const figures: Figure[] = [];
  if (wanted.has('throughput')) {
    await using running = new AsyncDisposableStack();
    const starts: ReadonlyMap<Contender, Start | undefined> = new Map([
      ['signer', signer(keys.path, config)],
      ['node:http', nodeHttp],
      ['Bun.serve', bunServe],
      ['nginx with njs', njs(directory.path)],
      ['HAProxy', haproxy(directory.path)],
    ]);
    const servers = new Map<Contender, Server>();
    for (const [name, start] of starts) {
      if (start !== undefined) servers.set(name, running.use(await startServer(start, raw.path)));
    }
    for (const scenario of scenarios(key)) {
      figures.push(...(await measureThroughput(directory.path, servers, scenario, rounds)));
    }
  }
  if (wanted.has('start')) {
    const starts = { plain: own, configured: signer(keys.path, config), bare: bunServe };
    figures.push(...(await measureStart(starts, 20)));
  }
  if (wanted.has('memory')) figures.push(...(await measureMemory(directory.path, own, raw)));
  if (wanted.has('rotation')) figures.push(...(await measureRotation(directory.path, raw, 300)));
  progress('');
  return figures;
}

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [...groups] },
    rounds: { type: 'string', default: '8' },
  },
});
const unknown = values.only.find((group) => !groups.includes(group as Group));
if (unknown !== undefined) {
  process.stderr.write(`--only takes ${groups.join(', ')}\n`);
  process.exitCode = 2;
} else if (!wrkIsInstalled()) {
  process.stderr.write('the benchmark needs wrk: apt-get install wrk (Debian), brew install wrk (macOS)\n');
  process.exitCode = 1;
} else {
  const figures = await measure(new Set(values.only), Number(values.rounds));
  if (values.json) printJson(figures);
  else printTable(figures);
  process.exitCode = figures.every(isMet) ? 0 : 1;
}
