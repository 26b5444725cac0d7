/** Opens the keys that `--keys` and `--config` name, for `serve` and for commands that read the same once. */

import { basename, dirname, resolve } from 'node:path';
import { everyFile } from '../config/defaults.ts';
import { type MountedKeys, type MountedKeysOptions, mountKeys, problemsOf } from '../key-sets/mounted.ts';
import { ok, type Result } from '../key-sets/result.ts';
import {
  type Configuration,
  type ConfigurationFile,
  type KnownCallers,
  onlyKeySet,
} from '../key-sets/settings.ts';
import type { KeyStore } from '../key-sets/store.ts';
import type { VolumeProblem } from '../secret-volume/index.ts';
import { inTurns } from '../turns.ts';
import { takeVariable } from './environment.ts';
import { CommandFailure } from './failure.ts';

export interface KeyOptions {
  /** Directories. Empty if the configuration takes every key from a variable. */
  readonly keys: readonly string[];
  readonly config?: string;
}

/**
 * @param more `only` names a key set: no other is loaded, and no file of another is read. `callers` are those that the
 * configuration can name; default: any
 * @throws {CommandFailure} if there is neither a directory nor a configuration
 */
export function openKeys(
  { keys, config }: KeyOptions,
  {
    only,
    callers,
    ...more
  }: Pick<MountedKeysOptions, 'watch' | 'events'> & {
    readonly only?: string;
    readonly callers?: KnownCallers;
  } = {},
): MountedKeys {
  if (keys.length === 0 && config === undefined) {
    throw new CommandFailure('--keys none needs a --config that takes every key from a variable ("env")');
  }
  const select = (configuration: Configuration) =>
    only === undefined ? configuration : onlyKeySet(configuration, only);
  const configuration =
    config === undefined
      ? select(everyFile)
      : {
          directory: dirname(resolve(config)),
          file: basename(config),
          path: config,
          parse: async (text: string) => {
            const read = await readConfiguration(text, callers);
            return read.ok ? ok({ ...read.value, configuration: select(read.value.configuration) }) : read;
          },
        };
  // Let the import run while the files are read.
  if (config !== undefined) void importParser();
  return mountKeys({ ...more, directories: keys, configuration, variable: takeVariable });
}

export interface OnceRead {
  /** Absent if no keys could be read. */
  readonly store?: KeyStore;
  /** Why keys could not be loaded. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Reads everything once, as `serve` would.
 * @param choice `only` is a key set, to read nothing else
 * @throws {CommandFailure} as `openKeys` does
 */
export async function readKeysOnce(
  options: KeyOptions,
  choice: { readonly only?: string; readonly callers?: KnownCallers } = {},
): Promise<OnceRead> {
  const warnings: string[] = [];
  const mounted = openKeys(options, {
    watch: false,
    ...choice,
    events: { leftOut: (warning) => warnings.push(warning), note: (note) => warnings.push(note) },
  });
  await mounted.settled();
  const problems = mounted.mounts.flatMap((mount) => {
    const { directory, health } = mount.volume;
    // Name the directory in a problem of the whole directory, because there may be several.
    const needsDirectory = ({ name, message }: VolumeProblem) =>
      health.problem !== undefined && name === undefined && !message.includes(directory);
    return problemsOf(mount).map((problem) =>
      needsDirectory(problem) ? `${directory}: ${problem.message}` : problem.message,
    );
  });
  await mounted.close();
  return { store: mounted.store, problems, warnings };
}

export async function readConfiguration(
  text: string,
  callers?: KnownCallers,
): Promise<Result<ConfigurationFile>> {
  const { parseConfiguration } = await importParser();
  return inTurns(parseConfiguration(text, callers));
}

/** Imported only if there is a configuration, because that takes half of the start-up time. */
const importParser = () => import('../config/file.ts');
