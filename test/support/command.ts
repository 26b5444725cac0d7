/** A command of the compiled binary, run to its end: its transcript. */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { binary } from './signer.ts';

export interface Transcript {
  /** The exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** The whole environment. Default: empty. */
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input. Default: none. */
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
}

/** Long enough for any command that ends; one that serves instead of ending is killed. */
const killAfterMs = 40_000;

const transcripts: Transcript[] = [];

export async function run(
  args: readonly string[],
  { env = {}, input, cwd }: CommandOptions = {},
): Promise<Transcript> {
  if (!existsSync(binary)) throw new Error(`${binary} is missing: npm run build:binary`);
  const child = spawn(binary, args, { env, ...(cwd !== undefined && { cwd }), timeout: killAfterMs });
  // A command that ends without reading its input closes the pipe.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const exit = Promise.withResolvers<number | null>();
  child.once('error', exit.reject);
  child.once('close', exit.resolve);
  const [code, stdout, stderr] = await Promise.all([exit.promise, text(child.stdout), text(child.stderr)]);
  const transcript = { code, stdout, stderr };
  transcripts.push(transcript);
  return transcript;
}

/** Everything that the commands of this test file have printed so far. */
export function everythingPrinted(): string {
  return transcripts.map(({ stdout, stderr }) => stdout + stderr).join('\n');
}
