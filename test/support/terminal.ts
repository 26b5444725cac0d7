/** The compiled binary on a terminal, which `script` of util-linux makes. */

import { spawn, spawnSync } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { binary } from './signer.ts';

/** Whether this machine can make a terminal in this way; the `script` of other systems takes other flags. */
export const hasTerminal: boolean =
  spawnSync('script', ['--version']).stdout?.includes('util-linux') ?? false;

/** Runs a command to its end, or until `until` is in what it has printed. @returns what the terminal shows */
export async function onTerminal(
  args: readonly string[],
  { env = {}, until }: { readonly env?: Readonly<Record<string, string>>; readonly until?: string } = {},
): Promise<string> {
  // Paths of temporary directories, flags and the binary need no quoting.
  const command = ['exec', binary, ...args].join(' ');
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm', ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 40_000,
  });
  let shown = '';
  child.stdout.on('data', (chunk) => {
    shown += chunk;
    if (until !== undefined && shown.includes(until)) child.kill('SIGTERM');
  });
  await text(child.stdout);
  return shown;
}
