/** The command line: its commands, flags and help. What each command does is in the file of its name. */

import { Argument, Command, Option } from 'commander';
import { logLevels } from '../ops/log.ts';
import { version } from '../ops/status.ts';
import { isLoopback, parseAddress, parseMode, parseSeconds, parseSwitch } from './address.ts';
import {
  collect,
  configOption,
  env,
  jsonOption,
  keysOption,
  listenOption,
  parsed,
  socketOption,
  unlessInjected,
} from './flags.ts';
import { createKeysCommand } from './keys/program.ts';
import { loaded } from './loaded.ts';
import type { ServeOptions } from './serve.ts';

const defaultOpsListen = '127.0.0.1:8701';

/** The whole program; a command sets the exit code: 0 for yes, 1 for no or failure, 2 for a usage error. */
export function createProgram(): Command {
  const program = new Command('sidecar-signer')
    .description('signs and verifies HMAC messages for the container next to it, which never sees the key')
    .version(version, '-V, --version', 'print the version');
  program.addCommand(
    createServeCommand(unlessInjected(loaded(async () => (await import('./serve.ts')).serve))),
  );
  program.addCommand(
    new Command('check')
      .description('read the keys as serve would and print every problem')
      .addOption(keysOption())
      .addOption(configOption())
      .option(
        '--secret <manifest>',
        'a Kubernetes Secret in YAML to check in place of mounted keys; - for stdin',
      )
      .addOption(jsonOption())
      .action(unlessInjected(loaded(async () => (await import('./check.ts')).check))),
  );
  program.addCommand(
    new Command('sign')
      .description(
        'sign a message through a running signer and print the signature (raw and webhook formats)',
      )
      .addArgument(keyArgument())
      .addArgument(fileArgument())
      .addOption(listenOption())
      .addOption(socketOption())
      .addOption(jsonOption())
      .action(loaded(async () => (await import('./sign.ts')).sign)),
  );
  program.addCommand(
    new Command('verify')
      .description('verify a signature through a running signer (raw); exit code 1 if it is not valid')
      .addArgument(keyArgument())
      .argument('<signature>', 'the signature, in the output encoding of the key')
      .addArgument(fileArgument())
      .addOption(listenOption())
      .addOption(socketOption())
      .addOption(jsonOption())
      .action(loaded(async () => (await import('./verify.ts')).verify)),
  );
  program.addCommand(
    new Command('healthcheck')
      .description('ask a running signer whether it is ready; for exec probes and HEALTHCHECK')
      .addOption(opsListenOption())
      .addOption(listenOption())
      .addOption(socketOption())
      .addOption(jsonOption())
      .action(loaded(async () => (await import('./healthcheck.ts')).healthcheck)),
  );
  program.addCommand(createKeysCommand());
  const commands = [program, ...program.commands];
  for (const command of [...commands, ...commands.flatMap((each) => each.commands)]) {
    command
      .exitOverride()
      // The arguments of each command are in its own help; here they would leave no room.
      .configureHelp({ subcommandTerm: (each) => each.name() })
      .showHelpAfterError('(--help lists what there is)')
      .helpOption('-h, --help', 'print help');
    if (command.commands.length > 0) command.helpCommand('help [command]', 'print help for a command');
  }
  return program;
}

/** The command `serve`, with its usage checks, around whatever starts the server. */
export function createServeCommand(action: (options: ServeOptions) => Promise<void>): Command {
  const command = new Command('serve')
    .description('read keys from mounted secret volumes and serve signing and verification on this machine')
    .addOption(keysOption())
    .addOption(configOption())
    .addOption(listenOption())
    .addOption(socketOption())
    .addOption(
      env(
        new Option('--socket-mode <mode>', 'file mode of the socket').argParser(parsed(parseMode)),
        'SOCKET_MODE',
      ).default(0o660, '0660'),
    )
    .addOption(opsListenOption())
    .addOption(
      env(
        new Option(
          '--allowed-host <name>',
          'another value of the Host header to serve; repeatable',
        ).argParser(collect),
        'ALLOWED_HOST',
      ).default([], 'loopback names with the port'),
    )
    .addOption(
      env(
        new Option(
          '--allow-remote [boolean]',
          'let --listen bind an address that other machines can reach',
        ).argParser(parsed(parseSwitch)),
        'ALLOW_REMOTE',
      ).default(false),
    )
    .addOption(
      env(
        new Option(
          '--shutdown-delay <seconds>',
          'serve on for so long after SIGTERM, with readiness off',
        ).argParser(parsed(parseSeconds)),
        'SHUTDOWN_DELAY',
      ).default(0),
    )
    .addOption(
      env(new Option('--log-level <level>', 'least level to log').choices(logLevels), 'LOG_LEVEL').default(
        'info',
      ),
    );
  return command.action(async (options: ServeOptions) => {
    if (options.listen === 'none' && options.socket === undefined) {
      command.error('error: nothing to listen on; give --listen HOST:PORT or --socket PATH');
    }
    if (options.listen !== 'none' && !isLoopback(options.listen) && !options.allowRemote) {
      command.error(
        'error: --listen is not a loopback address; anyone who reaches it could sign, so it needs --allow-remote',
      );
    }
    await action(options);
  });
}

function opsListenOption(): Option {
  const option = new Option('--ops-listen <host:port>', 'listener for probes and status, or none');
  return env(option.argParser(parsed(parseAddress)), 'OPS_LISTEN').default(
    parseAddress(defaultOpsListen),
    defaultOpsListen,
  );
}

function keyArgument(): Argument {
  return new Argument('<key>', 'name of the key set');
}

function fileArgument(): Argument {
  return new Argument('[file]', 'the message').default('-', 'standard input');
}
