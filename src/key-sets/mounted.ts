/** Feeds a key store from mounted directories: from those that hold keys, and from the one that holds the configuration. */

import { isUtf8 } from 'node:buffer';
import { setTimeout as delay } from 'node:timers/promises';
import {
  openVolume,
  type Reading,
  type Selection,
  type Volume,
  VolumeError,
  type VolumeOptions,
  type VolumeProblem,
  type VolumeWarning,
} from '../secret-volume/index.ts';
import type { Key } from '../signing/mac.ts';
import type { Result } from './result.ts';
import { type SecretFiles, sealFiles } from './secret.ts';
import { type Configuration, type ConfigurationFile, fileName } from './settings.ts';
import type { FileChanges, Source } from './source.ts';
import { createKeyStore, type KeyStore } from './store.ts';

export interface MountedKeys {
  readonly store: KeyStore;
  /** One for each key directory, and one for the configuration's. */
  readonly mounts: readonly Mount[];
  /** Resolves when everything has been read once, successfully or not, and applied or refused. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** A directory that is watched for keys or for the configuration. */
export interface Mount {
  readonly content: 'keys' | 'configuration';
  readonly source: Pick<Source<unknown>, 'problems' | 'refusedAt' | 'accepted' | 'rejected'>;
  readonly volume: Volume<unknown>;
}

/** Where a configuration is read from. */
export interface ConfigurationSource {
  readonly directory: string;
  readonly file: string;
  /** As the user gave it, for messages. */
  readonly path: string;
  readonly parse: (text: string) => Promise<Result<ConfigurationFile>>;
}

export interface MountedKeysOptions {
  readonly directories: readonly string[];
  readonly configuration: Configuration | ConfigurationSource;
  /** A key from the environment. */
  readonly variable: (name: string) => Uint8Array | undefined;
  /** Default: file system events. */
  readonly watch?: VolumeOptions['watch'];
  readonly events?: MountedKeysEvents;
}

export interface MountedKeysEvents {
  accepted?(mount: Mount, changes: FileChanges): void;
  refused?(mount: Mount): void;
  /** What was refused is solved: the latest content is in use, even if it is the content from before. */
  solved?(mount: Mount): void;
  warning?(mount: Mount, warning: VolumeWarning): void;
  /** Whether events report the changes of a directory, when that is not so or is so again. */
  watcher?(mount: Mount, state: 'up' | 'down'): void;
  /** Replaced keys of a key set do not verify any more. */
  ended?(keySet: string, keys: readonly Key[]): void;
  /** A part of the configuration was left out. */
  leftOut?(warning: string): void;
  /** What somebody who checks the configuration should know. */
  note?(note: string): void;
}

/** A directory that takes longer to read, on a broken network for instance, must not hold up the others. */
const selectWithinMs = 5000;

export function mountKeys(options: MountedKeysOptions): MountedKeys {
  const { directories, configuration, variable, events = {} } = options;
  const file = 'parse' in configuration ? configuration : undefined;
  const given = 'parse' in configuration ? undefined : configuration;
  const readsAll = given !== undefined && given.files === undefined;
  const watch = options.watch === undefined ? {} : { watch: options.watch };
  const keyVolumes: Volume<SecretFiles>[] = [];
  const mounts: Mount[] = [];
  const mountsOf = (source: object) => mounts.filter((mount) => mount.source === source);
  const refusedMounts = new Set<Mount>();
  const refuse = (mount: Mount) => {
    refusedMounts.add(mount);
    events.refused?.(mount);
  };
  const store = createKeyStore({
    directories,
    configuration: readsAll ? given : undefined,
    variable,
    select: async (files) => {
      const read = keyVolumes.map((volume) => volume.select(selectFiles(files)));
      await Promise.race([Promise.all(read), delay(selectWithinMs, undefined, { ref: false })]);
    },
    onAccepted: (source, changes) => {
      for (const mount of mountsOf(source)) events.accepted?.(mount, changes);
    },
    onRefused: (source) => {
      for (const mount of mountsOf(source)) refuse(mount);
    },
    onEnded: (keySet, keys) => events.ended?.(keySet, keys),
  });
  const offer: KeyStore['offer'] = async (...offered) => {
    await store.offer(...offered);
    for (const mount of refusedMounts) {
      if (problemsOf(mount).length > 0) continue;
      refusedMounts.delete(mount);
      events.solved?.(mount);
    }
  };

  const follow = <C>(content: Mount['content'], source: Source<C>, volume: Volume<C>) => {
    const mount = { content, source, volume };
    mounts.push(mount);
    volume.onChange(({ added, removed, modified }) =>
      offer(source, volume.current, [...added, ...removed, ...modified]),
    );
    volume.onRecovery(() => offer(source, volume.current));
    volume.onProblem(() => {
      void offer(source, undefined);
      refuse(mount);
    });
    volume.onWarning((warning) => events.warning?.(mount, warning));
    volume.onWatcher((state) => events.watcher?.(mount, state));
  };

  for (const [directory, source] of store.directories) {
    // Until there is a configuration, no file is named.
    const named = readsAll ? {} : { optional: [] };
    const volume = openVolume(directory, { ...watch, ...named, parse: seal });
    keyVolumes.push(volume);
    follow('keys', source, volume);
  }
  if (file !== undefined) {
    const parse = async (reading: Reading) => {
      const { configuration: parsed, warnings, notes } = await readConfigurationFile(reading, file);
      for (const warning of warnings) events.leftOut?.(warning);
      for (const note of notes) events.note?.(note);
      return parsed;
    };
    const volume = openVolume(file.directory, { ...watch, optional: [file.file], parse });
    follow('configuration', store.configuration, volume);
  }
  if (given !== undefined && !readsAll) void store.offer(store.configuration, given);

  return {
    store,
    mounts,
    settled: async () => {
      await Promise.all(mounts.map(({ volume }) => firstOutcome(volume)));
      await store.settled();
    },
    close: async () => {
      await Promise.all(mounts.map(({ volume }) => volume.close()));
    },
  };
}

/** Why the latest content of a directory is not in use. */
export function problemsOf({ source, volume }: Mount): readonly VolumeProblem[] {
  const { problem } = volume.health;
  return problem?.problems ?? source.problems.map((message) => ({ code: 'refused', message }));
}

/** Files are named by their paths with dots for slashes. */
function selectFiles(names: Configuration['files']): Selection | undefined {
  if (names === undefined) return undefined;
  // Made once, because a directory may have many others in it, and this is asked about each.
  const leading = new Set([...names].flatMap(leadingNames));
  return (path, isDirectory) => (isDirectory ? leading : names).has(fileName(path));
}

/** The names that a directory may have on the way to a file: `a.b.c` is `a/b/c`, `a.b/c` or `a/b.c`. */
function leadingNames(name: string): readonly string[] {
  const dots = [...name.matchAll(/\./g)].map(({ index }) => index);
  return dots.map((dot) => name.slice(0, dot));
}

function seal(reading: Reading): Promise<SecretFiles> {
  const { names, others } = reading;
  return sealFiles(
    names.map((name) => [name, reading.bytes(name)] as const),
    others,
  );
}

/** @throws {VolumeError} */
async function readConfigurationFile(
  reading: Reading,
  { file, path, parse }: ConfigurationSource,
): Promise<ConfigurationFile> {
  const problem = (code: VolumeProblem['code'], message: string) => ({ code, name: file, message });
  if (!reading.has(file)) {
    const message = `the configuration file ${path} is not there; correct --config, or mount the ConfigMap that has it`;
    throw new VolumeError([problem('missing_file', message)]);
  }
  const bytes = reading.bytes(file);
  if (!isUtf8(bytes)) throw new VolumeError([problem('refused', `"${file}" is not UTF-8 text`)]);
  const parsed = await parse(new TextDecoder().decode(bytes));
  if (parsed.ok) return parsed.value;
  throw new VolumeError(parsed.problems.map((each) => problem('refused', `${path}: ${each}`)));
}

/** Resolves when a volume has been read once, successfully or not. */
async function firstOutcome(volume: Volume<unknown>): Promise<void> {
  const problem = new Promise<void>((resolve) => {
    volume.onProblem(() => resolve());
  });
  await Promise.race([volume.ready(), problem]);
}
