/** The keys that `--keys` and `--config` name, for `serve` and the commands that read what it would serve. */

import { basename, dirname, resolve } from 'node:path';
import { everyFile } from '../config/defaults.ts';
import { type MountedKeys, type MountedKeysOptions, mountKeys, problemsOf } from '../key-sets/mounted.ts';
import type { Result } from '../key-sets/result.ts';
import type { ConfigurationFile } from '../key-sets/settings.ts';
import type { KeyStore } from '../key-sets/store.ts';
import type { VolumeProblem } from '../secret-volume/index.ts';
import { takeVariable } from './environment.ts';
import { SettingError } from './setting-error.ts';

export interface KeyOptions {
  /** None when the configuration takes every key from a variable. */
  readonly keys: readonly string[];
  readonly config?: string;
}

/** @throws {SettingError} for no directory and no configuration */
export function openKeys(
  { keys, config }: KeyOptions,
  more: Pick<MountedKeysOptions, 'watch' | 'events'> = {},
): MountedKeys {
  if (keys.length === 0 && config === undefined) {
    throw new SettingError('--keys none needs a --config that takes every key from a variable ("env")');
  }
  const configuration =
    config === undefined
      ? everyFile
      : {
          directory: dirname(resolve(config)),
          file: basename(config),
          path: config,
          parse: readConfiguration,
        };
  return mountKeys({ ...more, directories: keys, configuration, variable: takeVariable });
}

/** What `serve` would load. */
export interface OnceRead {
  readonly store: KeyStore;
  /** Why what is not in it could not be loaded. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** Reads everything once. @throws {SettingError} */
export async function readOnce(options: KeyOptions): Promise<OnceRead> {
  const warnings: string[] = [];
  const leftOut = (warning: string) => warnings.push(warning);
  const mounted = openKeys(options, { watch: false, events: { leftOut } });
  await mounted.settled();
  const problems = mounted.mounts.flatMap((mount) => {
    const { directory, health } = mount.volume;
    // A problem of a whole directory names it, since there may be several.
    const isWhole = ({ name, message }: VolumeProblem) =>
      health.problem !== undefined && name === undefined && !message.includes(directory);
    return problemsOf(mount).map((each) => (isWhole(each) ? `${directory}: ${each.message}` : each.message));
  });
  await mounted.close();
  return { store: mounted.store, problems, warnings };
}

export async function readConfiguration(text: string): Promise<Result<ConfigurationFile>> {
  // Loaded only if there is a configuration: starting without one takes half the time.
  const { parseConfiguration } = await import('../config/file.ts');
  return parseConfiguration(text);
}
