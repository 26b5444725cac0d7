/**
 * Holds the current snapshot. Whatever changes, a directory or the configuration, the next one is built from the newest
 * of all of them, and takes the place of the last as a whole. Where that does not fit together, what has changed is tried
 * with what was taken of the others, so that a mistake in one place holds up no change in another that fits without it.
 */

import { VolumeError } from '../secret-volume/index.ts';
import { type Clocks, systemClocks } from '../signing/clocks.ts';
import { loadKeySets, type MountedSecret } from './load.ts';
import { type Secret, sealFiles, sealSecret } from './secret.ts';
import type { Configuration } from './settings.ts';
import { firstExpiryMs, nextSnapshot, type Snapshot, withoutExpired } from './snapshot.ts';

export interface KeyStore {
  /** Undefined until there is a first valid one, and again once the keys are dropped. */
  readonly current: Snapshot | undefined;
  /**
   * Takes the content of a directory into the next snapshot. The bytes are overwritten.
   * @throws {VolumeError} with every problem; the current snapshot stays, and the content waits until something it fits
   * arrives, or until it is withdrawn
   */
  load(directory: string, content: { readonly files: ReadonlyMap<string, Uint8Array> }): Promise<void>;
  /** Takes a configuration into the next snapshot. @throws {VolumeError} */
  configure(configuration: Configuration): Promise<void>;
  /**
   * Lets go of what was refused of a directory, or of the configuration if none is named: it is no longer there, and must
   * not come into force later. What was not refused stays: it is the last good, or waits for the first snapshot.
   */
  withdraw(directory?: string): void;
  /** Lets go of all keys, for good. */
  drop(): void;
}

export interface KeyStoreOptions {
  /** There is no snapshot before all of these are loaded, unless the configuration needs no file. */
  readonly directories: readonly string[];
  /** Undefined when one will be given later. */
  readonly configuration?: Configuration;
  /** A key from the environment. */
  readonly variable: (name: string) => Uint8Array | undefined;
  /** Default: the system's. */
  readonly clocks?: Clocks;
}

/** What a snapshot is made of. */
interface Sources {
  /** By directory: all files, listed by the configuration or not, since the next one may list others. */
  readonly contents: ReadonlyMap<string, ReadonlyMap<string, Secret>>;
  /** Undefined until there is a first. */
  readonly configuration: Configuration | undefined;
}

/** The longest that a timer of the runtime can wait. */
const maxTimerMs = 2 ** 31 - 1;

export function createKeyStore(options: KeyStoreOptions): KeyStore {
  const { directories, clocks = systemClocks } = options;
  let newest: Sources = { contents: new Map(), configuration: options.configuration };
  /** What was not refused: it made the current snapshot, or waits for the first one. */
  let taken = newest;
  /** A build that is under way may still hold some of these. */
  const withdrawn = new WeakSet<object>();
  const variables = new Map<string, Secret>();
  let current: Snapshot | undefined;
  let expiry: ReturnType<typeof setTimeout> | undefined;
  let dropped = false;
  let building: Promise<void> = Promise.resolve();

  /** Asked for once, since a variable is gone from the environment when it has been read. */
  const variable = (name: string): Secret | undefined => {
    const known = variables.get(name);
    const value = known === undefined ? options.variable(name) : undefined;
    if (value === undefined) return known;
    const secret = sealSecret(value);
    variables.set(name, secret);
    return secret;
  };

  const publish = (next: Snapshot | undefined) => {
    current = next;
    clearTimeout(expiry);
    if (next === undefined) return;
    const waitMs = firstExpiryMs(next) - clocks.monotonicMs();
    if (waitMs === Number.POSITIVE_INFINITY) return;
    const expire = () => publish(withoutExpired(next, clocks.monotonicMs()));
    expiry = setTimeout(expire, Math.min(Math.max(Math.ceil(waitMs), 0), maxTimerMs));
    expiry.unref();
  };

  /** @returns whether there was enough for a snapshot */
  const build = async ({ contents, configuration }: Sources): Promise<boolean> => {
    if (configuration === undefined) return false;
    const missing = directories.filter((directory) => !contents.has(directory));
    if (missing.length > 0 && !needsNoFile(configuration)) {
      if (current === undefined) return false;
      const unread = missing.join(' and ');
      throw new VolumeError(
        `the configuration takes keys from files, and ${unread} could not be read yet; mount it there`,
      );
    }
    const keySets = await loadKeySets({ files: filesByName(directories, contents), variable }, configuration);
    const next = await nextSnapshot(current, keySets, clocks);
    if ([configuration, ...contents.values()].some((source) => withdrawn.has(source))) {
      throw new VolumeError('the content that this fits is no longer there');
    }
    if (!dropped) publish(next);
    return true;
  };

  /** One change at a time and in order, each with the newest of everything. */
  const take = (change: (sources: Sources) => Sources): Promise<void> => {
    newest = change(newest);
    const next = building.then(async () => {
      if (dropped) return;
      const all = newest;
      const alone = change(taken);
      const accepted = await build(all).then(
        (built) => (built ? all : alone),
        async (error) => {
          if (isSame(alone, all)) throw error;
          await build(alone);
          return alone;
        },
      );
      if (!dropped) taken = accepted;
    });
    building = next.catch(() => undefined);
    return next;
  };

  return {
    get current() {
      return current;
    },
    load: async (directory, { files }) => {
      const content = await sealFiles(files);
      return take(({ contents, configuration }) => ({
        contents: withContent(contents, directory, content),
        configuration,
      }));
    },
    withdraw: (directory) => {
      const part = ({ configuration, contents }: Sources) =>
        directory === undefined ? configuration : contents.get(directory);
      const gone = part(newest);
      if (gone === undefined || gone === part(taken)) return;
      withdrawn.add(gone);
      newest =
        directory === undefined
          ? { ...newest, configuration: taken.configuration }
          : { ...newest, contents: withContent(newest.contents, directory, taken.contents.get(directory)) };
    },
    configure: (configuration) => take(({ contents }) => ({ contents, configuration })),
    drop: () => {
      dropped = true;
      newest = { contents: new Map(), configuration: undefined };
      taken = newest;
      variables.clear();
      publish(undefined);
    },
  };
}

/** A configuration that takes all its keys from the environment. */
function needsNoFile(configuration: Configuration): boolean {
  const settings = [...configuration([]).values()];
  return settings.length > 0 && settings.every(({ source }) => 'env' in source);
}

function withContent(
  contents: Sources['contents'],
  directory: string,
  content: ReadonlyMap<string, Secret> | undefined,
): Sources['contents'] {
  const all = new Map(contents);
  if (content === undefined) all.delete(directory);
  else all.set(directory, content);
  return all;
}

function isSame(a: Sources, b: Sources): boolean {
  const isHeld = ([directory, content]: [string, unknown]) => b.contents.get(directory) === content;
  return (
    a.configuration === b.configuration &&
    a.contents.size === b.contents.size &&
    [...a.contents].every(isHeld)
  );
}

/** The files of all directories, in their order. A projected file `my-group/my-key` is named `my-group.my-key`. */
function filesByName(
  directories: readonly string[],
  contents: Sources['contents'],
): ReadonlyMap<string, readonly MountedSecret[]> {
  const files = new Map<string, MountedSecret[]>();
  for (const directory of directories) {
    for (const [path, secret] of contents.get(directory) ?? []) {
      const name = path.replaceAll('/', '.');
      const others = files.get(name);
      if (others === undefined) files.set(name, [{ directory, secret }]);
      else others.push({ directory, secret });
    }
  }
  return files;
}
