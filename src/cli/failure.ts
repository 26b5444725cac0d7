/** How a command fails, and the exit codes of the program. */

import { CommanderError } from 'commander';
import { escapeControls } from '../bytes/text.ts';
import type { Result } from '../key-sets/result.ts';
import { systemCode } from '../secret-volume/index.ts';

/** A command cannot do what it was asked to do. The message says why and what to do, and never contains a key. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
}

/** @throws {CommandFailure} with every problem, after this prefix */
export function unwrap<T>(result: Result<T>, prefix = ''): T {
  if (result.ok) return result.value;
  throw new CommandFailure(prefix + result.problems.join('; '));
}

/** Runs the command line and sets the exit code: 1 for a failed command, 2 for a usage error. */
export async function setExitCode(run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has already printed the error. Help and version also end with a CommanderError, with code 0.
      process.exitCode = error.exitCode === 0 ? 0 : 2;
    } else if (error instanceof CommandFailure) {
      process.stderr.write(`sidecar-signer: ${escapeControls(error.message)}\n`);
      process.exitCode = 1;
    } else {
      throw error;
    }
  }
}

/** For commands that print a result. A reader who has seen enough, as `head` has, is no failure. */
export function expectOutputErrors(): void {
  process.stdout.on('error', (error) => {
    const code = systemCode(error) ?? 'unknown error';
    if (code === 'EPIPE') return;
    process.stderr.write(`sidecar-signer: the result cannot be written to standard output (${code})\n`);
    process.exitCode = 1;
  });
}
