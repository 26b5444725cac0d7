/** Makes system calls of a running signer fail or wait (strace -e inject), as no test double could. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRoot } from '../support/process.ts';
import { type Signer, temporaryDirectory, waitFor } from '../support/signer.ts';

/** The signer is not dumpable, so that only root may trace it. */
export const hasStrace: boolean = isRoot && spawnSync('strace', ['-V']).status === 0;

/**
 * @param inject such as `pread64:error=EIO`, in force from when `run` begins until it ends
 * @throws when it met no system call
 */
export async function tamper(signer: Signer, inject: string, run: () => Promise<void>): Promise<void> {
  using place = temporaryDirectory();
  const trace = join(place.path, 'trace');
  const target = ['-f', '-p', String(signer.process.pid)];
  const strace = spawn('strace', [...target, '-o', trace, '-e', `inject=${inject}`]);
  let said = '';
  strace.stderr.on('data', (chunk) => {
    said += chunk;
  });
  await waitFor(() => said.includes('attached') || undefined);
  const ended = once(strace, 'exit');
  try {
    await run();
  } finally {
    strace.kill('SIGINT');
    await ended;
  }
  // A call that is still being delayed has no result yet.
  const [call] = inject.split(':');
  const met = new RegExp(`\\((?:INJECTED|DELAYED)\\)|<detached|\\b${call}\\(.*<unfinished`);
  if (!met.test(readFileSync(trace, 'utf8'))) throw new Error(`${inject} met nothing`);
}
