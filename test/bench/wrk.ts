/** The load: wrk (https://github.com/wg/wrk), which is quick enough to leave the server the bottleneck. */

import { execFile, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const connections = 32;
const script = join(import.meta.dirname, 'post.lua');

/** A request that is sent again and again. */
export interface Load {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Outcome {
  readonly requests: number;
  readonly seconds: number;
  readonly p99Ms: number;
}

export function wrkIsInstalled(): boolean {
  return spawnSync('wrk', ['--version']).error === undefined;
}

/** @param directory where the body can be put for wrk to read */
export async function runWrk(directory: string, port: number, load: Load, seconds: number): Promise<Outcome> {
  const body = join(directory, `body-${port}`);
  writeFileSync(body, load.body);
  const headers = Object.entries(load.headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const url = `http://127.0.0.1:${port}${load.path}`;
  const { stdout } = await promisify(execFile)(
    'wrk',
    ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, ...headers, url],
    { env: { ...process.env, BENCH_BODY: body } },
  );
  const line = stdout.split('\n').findLast((each) => each.startsWith('{')) ?? '{}';
  const { failed, ...outcome } = JSON.parse(line) as Outcome & { failed: number };
  // A server that refuses is quick; its figures would be worth nothing.
  if (failed !== 0) throw new Error(`${failed} of ${outcome.requests} requests to ${load.path} failed`);
  return outcome;
}
