/** `npm start`: serves from a key of its own making, and says how to get a first signature. */

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { CommanderError } from 'commander';
import pretty from 'pino-pretty';
import { formatAddress, reachable } from '../src/cli/address.ts';
import { normaliseEnvironment } from '../src/cli/environment.ts';
import { createServeCommand } from '../src/cli/program.ts';
import { type ServeOptions, serve } from '../src/cli/serve.ts';
import { SettingError } from '../src/cli/setting-error.ts';

const directory = '.dev/keys';
const keyFile = join(directory, 'demo');

function makeKey(): void {
  if (existsSync(keyFile)) return;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // Text without a newline, so that a shell can pass the same bytes to openssl.
  writeFileSync(keyFile, randomBytes(32).toString('base64url'), { mode: 0o600, flag: 'wx' });
  process.stdout.write(`made a development key: ${keyFile}\n`);
}

function greet({ listen, socket }: ServeOptions, port: number | undefined): void {
  const to =
    listen === 'none' || port === undefined
      ? `--unix-socket '${socket}' http://localhost`
      : `http://${formatAddress(reachable({ ...listen, port }))}`;
  const curl = `curl -sS -H 'Sec-Signer: 1' -H 'Content-Type: application/json' -d '{"message":"hello"}' ${to}/v1/keys/demo/sign`;
  process.stdout.write(`\n${styleText('bold', 'Sign "hello" with it, from another terminal:')}\n${curl}\n\n`);
}

try {
  normaliseEnvironment();
  const command = createServeCommand((options) => {
    makeKey();
    const ready = (port: number | undefined) => greet(options, port);
    return serve(options, { log: pretty({ ignore: 'pid,hostname' }), ready });
  });
  await command.exitOverride().parseAsync(['--keys', directory, ...process.argv.slice(2)], { from: 'user' });
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else if (error instanceof SettingError) {
    process.stderr.write(`${styleText('red', error.message)}\n`);
    process.exitCode = 1;
  } else {
    throw error;
  }
}
