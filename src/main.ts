#!/usr/bin/env bun
/** The entry of the program: runs the command that its arguments name. */

import { normaliseEnvironment } from './cli/environment.ts';
import { setExitCode } from './cli/failure.ts';
import { createProgram } from './cli/program.ts';

normaliseEnvironment();
await setExitCode(() => createProgram().parseAsync());
