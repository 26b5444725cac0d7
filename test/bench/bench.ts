/** `npm run bench`: every figure that the signer is held to, measured in one run on this machine. */

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeVolume } from '../support/atomic-writer.ts';
import { temporaryDirectory } from '../support/signer.ts';
import { measureMemory } from './memory.ts';
import { type Figure, isMet, printJson, printTable, progress } from './report.ts';
import { measureRotation } from './rotation.ts';
import { compileBunServe, nodeHttp, signer, startServer } from './server.ts';
import { measureStart } from './start.ts';
import { configuration, measureThroughput, scenarios } from './throughput.ts';
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
  const all = scenarios(key);
  const [first] = all;
  if (first === undefined) throw new Error('there are no scenarios');

  const figures: Figure[] = [];
  if (wanted.has('throughput')) {
    await using one = await startServer(signer(keys.path, config), first.load.path);
    await using two = await startServer(nodeHttp, first.load.path);
    await using three = await startServer(bunServe, first.load.path);
    const contenders = { signer: one, nodeHttp: two, bunServe: three };
    for (const scenario of all) {
      figures.push(...(await measureThroughput(directory.path, contenders, scenario, first.load, rounds)));
    }
  }
  if (wanted.has('start')) figures.push(...(await measureStart(own, bunServe, 20)));
  if (wanted.has('memory')) figures.push(...(await measureMemory(directory.path, own, first.load)));
  if (wanted.has('rotation')) figures.push(...(await measureRotation(directory.path, first.load, 300)));
  progress('');
  return figures;
}

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [...groups] },
    rounds: { type: 'string', default: '7' },
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
