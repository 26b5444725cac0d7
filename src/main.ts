#!/usr/bin/env bun
/** The program's entry: runs a command and turns its end into an exit code. */

import { CommanderError } from 'commander';
import { normaliseEnvironment } from './cli/environment.ts';
import { createProgram } from './cli/program.ts';
import { SettingError } from './cli/setting-error.ts';

try {
  normaliseEnvironment();
  await createProgram().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed what is wrong; only help and version end well.
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else if (error instanceof SettingError) {
    process.stderr.write(`sidecar-signer: ${error.message}\n`);
    process.exitCode = 1;
  } else {
    throw error;
  }
}
