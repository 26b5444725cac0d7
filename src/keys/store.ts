/**
 * Holds the current snapshot, made from the newest content of every mounted directory and the newest configuration.
 * Whatever changes, the next snapshot is built from all of them, and it takes the place of the last one as a whole.
 */

import { type Clocks, systemClocks } from '../clocks.ts';
import { loadKeySets } from './load.ts';
import { type Secret, sealFiles, sealSecret } from './secret.ts';
import type { Configuration } from './settings.ts';
import { firstExpiryMs, nextSnapshot, type Snapshot, withoutExpired } from './snapshot.ts';

export interface KeyStore {
  /** Undefined until there is a first valid one, and again once the keys are dropped. */
  readonly current: Snapshot | undefined;
  /**
   * Takes the content of a directory into the next snapshot. The bytes are overwritten.
   * @throws {VolumeError} with every problem; the current snapshot stays
   */
  load(directory: string, content: { readonly files: ReadonlyMap<string, Uint8Array> }): Promise<void>;
  /** Takes a configuration into the next snapshot. @throws {VolumeError} */
  configure(configuration: Configuration): Promise<void>;
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

/** The longest that a timer of the runtime can wait. */
const maxTimerMs = 2 ** 31 - 1;

export function createKeyStore(options: KeyStoreOptions): KeyStore {
  const { directories, clocks = systemClocks } = options;
  /** All files, listed by the configuration or not: the next one may list others. */
  const contents = new Map<string, ReadonlyMap<string, Secret>>();
  const variables = new Map<string, Secret>();
  let configuration = options.configuration;
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

  const build = async () => {
    if (configuration === undefined) return;
    const isComplete = directories.every((directory) => contents.has(directory));
    if (!isComplete && !needsNoFile(configuration)) return;
    const files = filesByName(directories.map((directory) => contents.get(directory) ?? new Map()));
    const keySets = await loadKeySets({ files, variable }, configuration);
    const next = await nextSnapshot(current, keySets, clocks);
    if (!dropped) publish(next);
  };
  /** One at a time and in order, each with the newest of everything. */
  const rebuild = (): Promise<void> => {
    const next = building.then(() => (dropped ? undefined : build()));
    building = next.catch(() => undefined);
    return next;
  };

  return {
    get current() {
      return current;
    },
    load: async (directory, { files }) => {
      contents.set(directory, await sealFiles(files));
      return rebuild();
    },
    configure: (next) => {
      configuration = next;
      return rebuild();
    },
    drop: () => {
      dropped = true;
      contents.clear();
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

/** The files of all directories. A projected file `my-group/my-key` is named `my-group.my-key`. */
function filesByName(
  contents: readonly ReadonlyMap<string, Secret>[],
): ReadonlyMap<string, readonly Secret[]> {
  const files = new Map<string, Secret[]>();
  for (const [path, secret] of contents.flatMap((each) => [...each])) {
    const name = path.replaceAll('/', '.');
    const others = files.get(name);
    if (others === undefined) files.set(name, [secret]);
    else others.push(secret);
  }
  return files;
}
