/** `npm start`: serves from a key of its own making, and says how to get a first signature. */

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { CommanderError } from 'commander';
import pretty from 'pino-pretty';
import { normaliseEnvironment } from '../config/environment.ts';
import { SettingError } from '../config/setting-error.ts';
import { createServeCommand } from './program.ts';
import { serve } from './serve.ts';

const directory = '.dev/keys';
const keyFile = join(directory, 'demo');

function makeKey(): void {
  if (existsSync(keyFile)) return;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // Text without a newline, so that a shell can pass the same bytes to openssl.
  writeFileSync(keyFile, randomBytes(32).toString('base64url'), { mode: 0o600, flag: 'wx' });
  process.stdout.write(`made a development key: ${keyFile}\n`);
}

function greet(port: number | undefined): void {
  const curl = `curl -sS -H 'Sec-Signer: 1' -H 'Content-Type: application/json' -d '{"message":"hello"}' http://127.0.0.1:${port}/v1/keys/demo/sign`;
  process.stdout.write(`\n${styleText('bold', 'Sign "hello" with it, from another terminal:')}\n${curl}\n\n`);
}

try {
  normaliseEnvironment();
  makeKey();
  const command = createServeCommand((options) =>
    serve(options, { log: pretty({ ignore: 'pid,hostname' }), ready: greet }),
  );
  await command.exitOverride().parseAsync(['--keys', directory, ...process.argv.slice(2)], { from: 'user' });
} catch (error) {
  if (error instanceof SettingError) process.stderr.write(`${styleText('red', error.message)}\n`);
  else if (!(error instanceof CommanderError)) throw error;
  process.exitCode = 1;
}
