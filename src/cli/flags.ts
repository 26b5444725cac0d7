/** What the commands have in common: flags, the parsers of their values, and actions that are loaded when they run. */

import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { HttpHeaders } from '../api/messages.ts';
import { parseAddress, parseSocket, type SocketAddress } from './address.ts';
import { refuseInjection } from './environment.ts';
import { readInput } from './input.ts';

const defaultDirectories: readonly string[] = ['/etc/signer/keys'];
const defaultListen = '127.0.0.1:8700';
const noDirectory: readonly string[] = [];

/** A flag with its variable: `--ops-listen` is also `SIGNER_OPS_LISTEN`. */
export function flag(flags: string, description: string): Option {
  const option = new Option(flags, description);
  return option.env(`SIGNER_${option.name().toUpperCase().replaceAll('-', '_')}`);
}

/** The flags of a command that reads keys. */
export function withKeyFlags(command: Command, isConfigRequired = false): Command {
  return command
    .addOption(
      flag('--keys <directory>', 'directory with the keys, or none; repeatable')
        .argParser(collectDirectories)
        .default(defaultDirectories, defaultDirectories.join()),
    )
    .addOption(
      flag(
        '--config <file>',
        'YAML file that configures the key sets; without it, each key file is a key set',
      ).makeOptionMandatory(isConfigRequired),
    );
}

/** The flags of a command that calls a running signer. */
export function withSignerFlags(command: Command): Command {
  return command.addOption(listenFlag()).addOption(socketFlag()).addOption(jsonFlag());
}

export function listenFlag(): Option {
  return flag('--listen <host:port>', 'address of the signing listener, or none')
    .argParser(parseAddress)
    .default(parseAddress(defaultListen), defaultListen);
}

/** Commands that call a signer use the first of several sockets. */
export function socketFlag(
  description = 'Unix socket of the signing listener, without or with its name (NAME=PATH)',
): Option {
  return flag('--socket <path>', description).argParser(collectSockets);
}

/** The sockets of `serve`. */
export function socketsFlag(): Option {
  return socketFlag(
    'Unix socket of a signing listener; NAME=PATH names the caller who uses it; repeatable. With a name, there is no TCP without --listen',
  );
}

export function jsonFlag(description = 'print JSON'): Option {
  return new Option('--json', description);
}

/**
 * Collects the values of a repeatable flag. The variable and each use of the flag may hold several, separated by commas.
 */
export function collect(value: string, previous: readonly string[]): readonly string[] {
  const given = value.split(',');
  // An empty directory would be the working directory.
  if (given.includes('')) {
    throw new InvalidArgumentError('expected values separated by commas, and none of them empty');
  }
  return [...previous, ...given];
}

/** Like `collect`, for sockets. @throws {InvalidArgumentError} if one cannot be used, or two have one name or one path */
export function collectSockets(
  value: string,
  previous: readonly SocketAddress[] = [],
): readonly SocketAddress[] {
  const sockets = [...previous];
  for (const text of value.split(',')) {
    const socket = parseSocket(text);
    const same = sockets.find(({ caller }) => caller === socket.caller);
    if (same !== undefined) {
      throw new InvalidArgumentError(
        same.isNamed || socket.isNamed
          ? `two sockets have the name "${same.caller}"; give each a name of its own`
          : 'of several sockets, each needs a name of its own: NAME=PATH',
      );
    }
    if (sockets.some(({ path }) => resolve(path) === resolve(socket.path))) {
      throw new InvalidArgumentError('two sockets have one path; give each a path of its own');
    }
    sockets.push(socket);
  }
  return sockets;
}

/**
 * Collects the headers of a received request. A repeated header is a list.
 * @param line `Name: value`, or `@FILE` for a file with such lines
 * @throws {InvalidArgumentError}
 * @throws {CommandFailure} when the file cannot be read
 */
export function collectHeaders(line: string, previous: HttpHeaders): HttpHeaders {
  const file = line.startsWith('@') ? line.slice(1) : undefined;
  const lines = file === undefined ? [line] : readInput(file).toString().split(/\r?\n/);
  const headers = new Map(Object.entries(previous));
  for (const [index, each] of lines.entries()) {
    if (each === '') continue;
    const [, name, value = ''] = /^([^\s:]+):(.*)$/.exec(each) ?? [];
    if (name === undefined) throw new InvalidArgumentError(notAHeader(file, index));
    headers.set(name, [headers.get(name) ?? [], value.trim()].flat());
  }
  return Object.fromEntries(headers);
}

function notAHeader(file: string | undefined, index: number): string {
  if (file === undefined) return 'expected a line such as "Name: value", or @FILE';
  const advice = index === 0 ? '; leave the request line out' : '; give only the headers';
  return `line ${index + 1} of ${file === '-' ? 'standard input' : file} is not "Name: value"${advice}`;
}

/** Like `collect`, for host names. @throws {InvalidArgumentError} */
export function collectNames(value: string, previous: readonly string[]): readonly string[] {
  const names = collect(value, previous);
  if (names.every((name) => /^[A-Za-z0-9._-]+$/.test(name))) return names;
  throw new InvalidArgumentError('expected host names without a port, for instance signer.default.svc');
}

function collectDirectories(value: string, previous: readonly string[]): readonly string[] {
  const directories = collect(value, previous === defaultDirectories ? [] : previous);
  if (previous !== noDirectory && !directories.includes('none')) return directories;
  if (previous !== noDirectory && directories.length === 1) return noDirectory;
  throw new InvalidArgumentError('expected directories or none; write ./none for a directory of that name');
}

/** A path of a file, or `-`. @throws {InvalidArgumentError} */
export function parseFile(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('expected the path of a file, or - for standard output');
}

/** An octal file mode such as 0660. @throws {InvalidArgumentError} */
export function parseMode(text: string): number {
  if (/^0?[0-7]{3}$/.test(text)) return Number.parseInt(text, 8);
  throw new InvalidArgumentError('expected an octal file mode, for instance 0660');
}

/** Whole seconds, at most an hour. @throws {InvalidArgumentError} */
export function parseSeconds(text: string): number {
  if (/^\d{1,4}$/.test(text) && Number(text) <= 3600) return Number(text);
  throw new InvalidArgumentError('expected whole seconds from 0 to 3600, for instance 10');
}

/** Parses a boolean flag. The flag needs no value, but its environment variable does. @throws {InvalidArgumentError} */
export function parseSwitch(text: string): boolean {
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  throw new InvalidArgumentError('expected true or false');
}

type Action<A extends readonly unknown[]> = (...args: A) => void | Promise<void>;

/**
 * An action that is imported when it runs, so that `serve` starts without loading the code of other commands.
 * @param load imports the action
 */
export function lazyAction<A extends readonly unknown[]>(
  load: () => Promise<Action<A>>,
): (...args: A) => Promise<void> {
  return async (...args) => {
    const action = await load();
    await action(...args);
  };
}

/** Like `lazyAction`, for commands that read keys: refuses to run if an environment variable could load code. */
export function lazyKeyAction<A extends readonly unknown[]>(
  load: () => Promise<Action<A>>,
): (...args: A) => Promise<void> {
  const action = lazyAction(load);
  return (...args) => {
    refuseInjection();
    return action(...args);
  };
}
