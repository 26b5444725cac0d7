/** `npm start`: serves with a key that it creates, and prints a command that gets a first signature. */

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { formatAddress, reachable } from '../src/cli/address.ts';
import { normaliseEnvironment } from '../src/cli/environment.ts';
import { setExitCode } from '../src/cli/failure.ts';
import { createServeCommand } from '../src/cli/program.ts';
import { type ServeOptions, serve } from '../src/cli/serve.ts';

const directory = '.dev/keys';
const keyFile = join(directory, 'demo');

function makeKey(): void {
  if (existsSync(keyFile)) return;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // Text without a newline, so that the same bytes can be given to openssl in a shell.
  writeFileSync(keyFile, randomBytes(32).toString('base64url'), { mode: 0o600, flag: 'wx' });
  process.stdout.write(`created a development key: ${keyFile}\n`);
}

function greet({ listen, socket: [socket] = [] }: ServeOptions, port: number | undefined): void {
  const to =
    listen === 'none' || port === undefined
      ? `--unix-socket '${socket?.path}' http://localhost`
      : `http://${formatAddress(reachable({ ...listen, port }))}`;
  const show = (title: string, command: string) => `\n${styleText('bold', title)}\n\n${command}\n`;
  process.stdout.write(
    show(
      `Sign "hello" with the key ${keyFile}, from another terminal:`,
      // Two lines, because a terminal may have 80 columns.
      `curl -sS ${to}/v1/keys/demo/sign -H 'Sec-Signer: 1' \\\n  -H 'Content-Type: application/json' -d '{"message":"hello"}'`,
    ) +
      show(
        'See the demo, a shop under attack, in a browser. It needs Docker:',
        'docker compose -f docker/compose.yaml up --build',
      ) +
      `\n${styleText('bold', 'Press Ctrl+C to stop.')}\n\n`,
  );
}

normaliseEnvironment();
const command = createServeCommand((options) => {
  makeKey();
  const ready = (port: number | undefined) => greet(options, port);
  return serve(options, { ready });
}).exitOverride();
await setExitCode(() =>
  command.parseAsync(['--log-format', 'pretty', '--keys', directory, ...process.argv.slice(2)], {
    from: 'user',
  }),
);
