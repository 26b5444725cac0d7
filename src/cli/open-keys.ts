/** Mounted key directories and a configuration to a key store: the part that `serve` and the commands share. */

import { isUtf8 } from 'node:buffer';
import { basename, dirname, resolve } from 'node:path';
import type { VolumeStatus } from '../api/status.ts';
import { everyFile } from '../config/defaults.ts';
import type { ConfigurationFile } from '../config/file.ts';
import { createKeyStore, type KeyStore } from '../key-sets/store.ts';
import {
  openVolume,
  type Reading,
  type Volume,
  VolumeError,
  type VolumeOptions,
  type VolumeProblem,
} from '../secret-volume/index.ts';
import { takeVariable } from './environment.ts';
import { SettingError } from './setting-error.ts';

export interface LiveKeys {
  readonly store: KeyStore;
  /** One for each key directory, and one for the directory of the configuration file. */
  readonly volumes: readonly MountedVolume[];
}

export interface MountedVolume {
  readonly content: VolumeStatus['content'];
  readonly volume: Volume<void>;
}

export interface KeyOptions {
  /** None when the configuration takes every key from a variable. */
  readonly keys: readonly string[];
  readonly config?: string;
}

export interface OpenOptions extends Pick<VolumeOptions<void>, 'watch'> {
  /** Told what of a configuration is left out. */
  readonly onWarning?: (warning: string) => void;
}

/** @throws {SettingError} for no directory and no configuration */
export function openKeys({ keys, config }: KeyOptions, { watch, onWarning }: OpenOptions = {}): LiveKeys {
  if (keys.length === 0 && config === undefined) {
    throw new SettingError('--keys none needs a --config that takes every key from a variable ("env")');
  }
  const store = createKeyStore({
    directories: keys,
    variable: takeVariable,
    ...(config === undefined && { configuration: everyFile }),
  });
  const volumes: MountedVolume[] = [];
  /** What the store has refused, and keeps until it fits. */
  const unfit = new WeakSet<Error>();
  const judged = (taking: Promise<void>) =>
    taking.catch((error) => {
      unfit.add(error);
      throw error;
    });
  const mount = (
    content: MountedVolume['content'],
    directory: string,
    take: (reading: Reading) => Promise<void>,
    withdraw: () => void,
    options: VolumeOptions<void> = {},
  ) => {
    /** What was refused of another one may fit now. */
    const retryOthers = () => {
      for (const other of volumes)
        if (other.volume !== volume && other.volume.health.problem !== undefined) other.volume.refresh();
    };
    const parse = async (reading: Reading) => {
      await take(reading);
      retryOthers();
    };
    const volume = openVolume<void>(directory, { ...options, ...(watch !== undefined && { watch }), parse });
    volume.onProblem((problem) => {
      if (unfit.has(problem)) return;
      // Any other problem is of what has come in the place of that.
      withdraw();
      retryOthers();
    });
    volumes.push({ content, volume });
  };

  for (const directory of keys) {
    const load = (reading: Reading) => {
      const files = new Map(reading.names.map((name) => [name, reading.bytes(name)]));
      return judged(store.load(directory, { files }));
    };
    mount('keys', directory, load, () => store.withdraw(directory));
  }
  if (config !== undefined) {
    const file = basename(config);
    const configure = async (reading: Reading) => {
      if (!reading.has(file)) throw new VolumeError([missingConfiguration(file, config)]);
      const { configuration, warnings } = await readConfiguration(text(reading, file), config);
      for (const warning of warnings) onWarning?.(warning);
      return judged(store.configure(configuration));
    };
    const options = { optional: [file] };
    mount('configuration', dirname(resolve(config)), configure, () => store.withdraw(), options);
  }
  return { store, volumes };
}

function missingConfiguration(name: string, path: string): VolumeProblem {
  const message = `the configuration file ${path} is not there; correct --config, or mount the ConfigMap that has it`;
  return { code: 'missing_file', name, message };
}

/** What `serve` would load: the store, and why what is not in it could not be loaded. */
export interface OnceRead {
  readonly store: KeyStore;
  readonly problems: readonly VolumeProblem[];
}

export async function readOnce(options: KeyOptions, onWarning?: OpenOptions['onWarning']): Promise<OnceRead> {
  const { store, volumes } = openKeys(options, { watch: false, ...(onWarning && { onWarning }) });
  await Promise.all(volumes.map(({ volume }) => firstOutcome(volume)));
  const problems = volumes.flatMap(({ volume: { directory, health } }) =>
    (health.problem?.problems ?? []).map((problem) => placed(problem, directory)),
  );
  await Promise.all(volumes.map(({ volume }) => volume.close()));
  return { store, problems };
}

/** Resolves when a volume has been read once, whatever came of it. */
async function firstOutcome(volume: Volume<void>): Promise<void> {
  const problem = new Promise<void>((resolve) => {
    volume.onProblem(() => resolve());
  });
  await Promise.race([volume.ready(), problem]);
}

/** A problem of a whole directory names it, since there may be several. */
function placed(problem: VolumeProblem, directory: string): VolumeProblem {
  const { name, message } = problem;
  if (name !== undefined || message.includes(directory)) return problem;
  return { ...problem, message: `${directory}: ${message}` };
}

/** @throws {VolumeError} */
function text(reading: Reading, name: string): string {
  const bytes = reading.bytes(name);
  if (!isUtf8(bytes)) {
    throw new VolumeError([{ code: 'refused', name, message: `"${name}" is not UTF-8 text` }]);
  }
  return new TextDecoder().decode(bytes);
}

/** @param name the file's name, for messages. @throws {VolumeError} */
export async function readConfiguration(text: string, name: string): Promise<ConfigurationFile> {
  // Loaded by whoever has a configuration: to start without one takes half the time.
  const { ConfigurationError, parseConfiguration } = await import('../config/file.ts');
  try {
    return parseConfiguration(text);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new VolumeError(
      error.problems.map((problem) => ({ code: 'refused', name, message: `${name}: ${problem}` })),
    );
  }
}
