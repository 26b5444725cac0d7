/** The flags that several commands have, and the variable that each may come from. */

import { InvalidArgumentError, Option } from 'commander';
import { parseAddress } from './address.ts';
import { refuseInjection } from './environment.ts';
import type { Action } from './loaded.ts';
import { SettingError } from './setting-error.ts';

const defaultKeysDirectory = '/etc/signer/keys';
const defaultListen = '127.0.0.1:8700';

export function keysOption(): Option {
  const option = new Option('--keys <directory>', 'mounted secret directory, or none; repeatable').argParser(
    collectDirectories,
  );
  return env(option, 'KEYS').default([defaultKeysDirectory], defaultKeysDirectory);
}

const noDirectory: readonly string[] = [];

function collectDirectories(value: string, previous: readonly string[]): readonly string[] {
  const directories = collect(value, previous);
  if (previous !== noDirectory && !directories.includes('none')) return directories;
  if (previous === noDirectory || directories.length > 1) {
    throw new InvalidArgumentError('expected directories or none; a directory of that name is ./none');
  }
  return noDirectory;
}

export function configOption(): Option {
  return env(
    new Option('--config <file>', 'which key sets there are, as YAML; default: every file'),
    'CONFIG',
  );
}

export function listenOption(): Option {
  const option = new Option('--listen <host:port>', 'signing listener, or none').argParser(
    parsed(parseAddress),
  );
  return env(option, 'LISTEN').default(parseAddress(defaultListen), defaultListen);
}

export function socketOption(): Option {
  return env(new Option('--socket <path>', 'Unix socket of the signing listener'), 'SOCKET');
}

export function jsonOption(): Option {
  return new Option('--json', 'print JSON');
}

/** Every flag has a variable of the same name: `--ops-listen` is `SIGNER_OPS_LISTEN`. */
export function env(option: Option, name: string): Option {
  return option.env(`SIGNER_${name}`);
}

/** Values of a repeatable flag; the first replaces the default. Its variable holds several, separated by commas. */
const collected = new WeakSet<readonly string[]>();
export function collect(value: string, previous: readonly string[]): readonly string[] {
  const given = value.split(',');
  // As a directory it would be the working directory.
  if (given.includes('')) {
    throw new InvalidArgumentError('expected values separated by commas, and none of them empty');
  }
  const values = [...(collected.has(previous) ? previous : []), ...given];
  collected.add(values);
  return values;
}

/** A process into which code could have been put reads no key. */
export function unlessInjected<A extends readonly unknown[]>(action: Action<A>): Action<A> {
  return (...args) => {
    refuseInjection();
    return action(...args);
  };
}

export function parsed<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof SettingError) throw new InvalidArgumentError(error.message);
      throw error;
    }
  };
}
