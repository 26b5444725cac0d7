/** The commands with their flags and help. What a command does is in the file that has its name. */

import { Command, type Option } from 'commander';
import { failureChoices } from '../audit/journal.ts';
import { logFormats, logLevels } from '../ops/log.ts';
import { version } from '../ops/status.ts';
import { isLoopback, parseAddress } from './address.ts';
import { createAuditCommand } from './audit/program.ts';
import type { CheckOptions } from './check.ts';
import { createExplainCommand } from './explain/program.ts';
import { expectOutputErrors } from './failure.ts';
import {
  collect,
  collectNames,
  flag,
  jsonFlag,
  lazyAction,
  lazyKeyAction,
  listenFlag,
  parseFile,
  parseMode,
  parseSeconds,
  parseSwitch,
  socketsFlag,
  withKeyFlags,
  withSignerFlags,
} from './flags.ts';
import type { HealthOptions } from './healthcheck.ts';
import { createInjectCommand } from './inject/program.ts';
import { createKeysCommand } from './keys/program.ts';
import type { ListenerFlags } from './listeners.ts';
import { createChallengeCommand, createSignCommand, createVerifyCommand, keyArgument } from './operations.ts';
import type { ServeOptions } from './serve.ts';
import type { StatusOptions } from './status.ts';

const defaultOpsListen = '127.0.0.1:8701';

/** The whole program. A command sets the exit code: 0 for yes, 1 for no or failure, 2 for a usage error. */
export function createProgram(): Command {
  const program = new Command('sidecar-signer')
    .description('keeps HMAC keys and signs on behalf of your app, which never sees them')
    .version(version, '-V, --version', 'print the version')
    .addCommand(createServeCommand(lazyKeyAction(async () => (await import('./serve.ts')).serve)))
    .addCommand(createCheckCommand(lazyKeyAction(async () => (await import('./check.ts')).check)))
    .addCommand(createSignCommand())
    .addCommand(createVerifyCommand())
    .addCommand(createChallengeCommand())
    .addCommand(createExplainCommand(keyArgument()))
    .addCommand(
      createHealthcheckCommand(lazyAction(async () => (await import('./healthcheck.ts')).healthcheck)),
    )
    .addCommand(createStatusCommand(lazyAction(async () => (await import('./status.ts')).status)))
    .addCommand(createKeysCommand())
    .addCommand(createAuditCommand())
    .addCommand(createInjectCommand())
    .hook('preAction', (_, command) => {
      // The log of "serve" has its own way to go on without a reader.
      if (command.name() !== 'serve') expectOutputErrors();
    });
  const commands = [program, ...program.commands];
  for (const command of [...commands, ...commands.flatMap((each) => each.commands)]) {
    command
      .exitOverride()
      // Lists show only the names of commands; the help of each command shows its arguments.
      .configureHelp({ subcommandTerm: (each) => each.name() })
      .showHelpAfterError('(see --help)')
      .helpOption('-h, --help', 'print help');
    if (command.commands.length > 0) command.helpCommand('help [command]', 'print help for a command');
  }
  return program;
}

function createCheckCommand(action: (options: CheckOptions) => Promise<void>): Command {
  const command = withKeyFlags(new Command('check'))
    .description('read the keys as serve would and print every problem')
    .option(
      '--secret <manifest>',
      'check this Kubernetes Secret manifest (YAML) instead of mounted keys; - for standard input',
    )
    .addOption(listenFlag())
    .addOption(socketsFlag())
    .addOption(jsonFlag());
  return command.action((options: CheckOptions) => action(withoutImpliedTcp(command, options)));
}

/** @param action starts the server; called only if the flags are consistent */
export function createServeCommand(action: (options: ServeOptions) => Promise<void>): Command {
  const command = withKeyFlags(new Command('serve'))
    .description('read keys from mounted directories and serve signing and verification on this machine')
    .addOption(listenFlag())
    .addOption(socketsFlag())
    .addOption(
      flag('--socket-mode <mode>', 'file mode of the sockets').argParser(parseMode).default(0o660, '0660'),
    )
    .addOption(opsListenFlag())
    .addOption(
      flag('--allowed-host <name>', 'another value of the Host header to accept over TCP; repeatable')
        .argParser(collect)
        .default([], 'loopback names with the port'),
    )
    .addOption(
      flag(
        '--ops-allowed-host <name>',
        'name in the Host header to accept on the ops listener, with any port; repeatable',
      )
        .argParser(collectNames)
        .default([], 'IP addresses and localhost'),
    )
    .addOption(
      flag('--allow-remote [boolean]', 'allow --listen to use an address that other machines can reach')
        .argParser(parseSwitch)
        .default(false),
    )
    .addOption(
      flag(
        '--shutdown-delay <seconds>',
        'seconds to keep serving after SIGTERM, while /readyz already says not ready',
      )
        .argParser(parseSeconds)
        .default(0),
    )
    .addOption(flag('--log-level <level>', 'lowest level to log').choices(logLevels).default('info'))
    .addOption(
      flag('--log-format <format>', 'how to write the log; auto: readable on a terminal, and JSON otherwise')
        .choices(logFormats)
        .default('auto'),
    )
    .addOption(
      flag(
        '--audit <file>',
        'append a line for each operation to this file; - for standard output',
      ).argParser(parseFile),
    )
    .addOption(
      flag('--audit-on-failure <choice>', 'what happens to a request that the audit cannot record')
        .choices(failureChoices)
        .default('refuse'),
    );
  return command.action(async (given: ServeOptions) => {
    const options = withoutImpliedTcp(command, given);
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

/** If a socket has a name, there is a TCP listener only if an address is given. */
function withoutImpliedTcp<T extends Pick<ListenerFlags, 'listen' | 'socket'>>(
  command: Command,
  options: T,
): T {
  const isImplied = command.getOptionValueSource('listen') === 'default';
  return isImplied && options.socket?.some(({ isNamed }) => isNamed)
    ? { ...options, listen: 'none' }
    : options;
}

function createHealthcheckCommand(action: (options: HealthOptions) => Promise<void>): Command {
  const command = withSignerFlags(new Command('healthcheck').addOption(opsListenFlag())).description(
    'ask a running signer whether it is ready; for exec probes and HEALTHCHECK',
  );
  return command.action((options: HealthOptions) => action(askedAt(command, options)));
}

function createStatusCommand(
  action: (names: readonly string[], options: StatusOptions) => Promise<void>,
): Command {
  const command = withSignerFlags(new Command('status').addOption(opsListenFlag()))
    .description(
      'print what a running signer has in force, and every problem; exit code 1 if it is not ready',
    )
    .argument('[keys...]', 'names of key sets (default: all, of which it prints the first 20)');
  return command.action((names: readonly string[], options: StatusOptions) =>
    action(names, askedAt(command, options)),
  );
}

/** Whoever names a signing listener asks about that signer, and not about one that has the default ops listener. */
function askedAt<O extends HealthOptions>(command: Command, options: O): O {
  const isGiven = (name: keyof HealthOptions) => command.getOptionValueSource(name) === 'cli';
  const isAddressed = isGiven('socket') || (isGiven('listen') && options.listen !== 'none');
  return isAddressed && !isGiven('opsListen') ? { ...options, opsListen: 'none' } : options;
}

function opsListenFlag(): Option {
  return flag('--ops-listen <host:port>', 'address of the listener for probes and status, or none')
    .argParser(parseAddress)
    .default(parseAddress(defaultOpsListen), defaultOpsListen);
}
