/**
 * Holds the current snapshot, made from the newest content of every mounted directory and the newest configuration.
 * Whatever changes, the next snapshot is built from all of them, and it takes the place of the last one as a whole.
 */

import { type Reading, VolumeError, type VolumeProblem } from '../secret-volume/index.ts';
import { loadKeySets } from './load.ts';
import { type Secret, sealSecret } from './secret.ts';
import type { Configuration } from './settings.ts';
import { nextSnapshot, type Snapshot, withoutExpired } from './snapshot.ts';

export interface KeyStore {
  /** Undefined until there is a first valid one, and again once the keys are dropped. */
  readonly current: Snapshot | undefined;
  /**
   * Takes the content of a directory into the next snapshot. The reading's bytes are overwritten.
   * @throws {VolumeError} with every problem; the current snapshot stays
   */
  load(directory: string, reading: Pick<Reading, 'files'>): Promise<void>;
  /** Takes a configuration into the next snapshot. @throws {VolumeError} */
  configure(configuration: Configuration): Promise<void>;
  /** Lets go of all keys. */
  drop(): void;
}

export interface KeyStoreOptions {
  /** The directories that will be loaded; there is no snapshot before all of them are. */
  readonly directories: readonly string[];
  /** Undefined when one will be given later. */
  readonly configuration?: Configuration;
  /** A key from the environment. */
  readonly variable: (name: string) => Uint8Array | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

const namePattern = /^(?!\.\.)[A-Za-z0-9._-]{1,253}$/;

export function createKeyStore(options: KeyStoreOptions): KeyStore {
  const { directories, now = Date.now } = options;
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
    const ends = [...(next?.keySets.values() ?? [])].flatMap(({ retained }) =>
      retained.map((key) => key.until),
    );
    if (next === undefined || ends.length === 0) return;
    const wait = Math.min(Math.max(Math.min(...ends) - now(), 0) + 1, 2 ** 31 - 1);
    expiry = setTimeout(() => publish(withoutExpired(next, new Date(now()))), wait);
    expiry.unref();
  };

  const build = async () => {
    if (configuration === undefined || directories.some((each) => !contents.has(each))) return;
    const files = mergeFiles(directories.map((each) => contents.get(each) ?? new Map()));
    const keySets = await loadKeySets({ files, variable }, configuration);
    if (!dropped) publish(nextSnapshot(current, keySets, new Date(now())));
  };
  /** One at a time and in order, each with the newest of everything. */
  const rebuild = (): Promise<void> => {
    const next = building.then(build);
    building = next.catch(() => undefined);
    return next;
  };

  return {
    get current() {
      return current;
    },
    load: (directory, { files }) => {
      contents.set(directory, new Map([...files].map(([name, bytes]) => [name, sealSecret(bytes)])));
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

/** The files of all directories. A projected file `my-group/my-key` is named `my-group.my-key`. @throws {VolumeError} */
function mergeFiles(contents: readonly ReadonlyMap<string, Secret>[]): ReadonlyMap<string, Secret> {
  const files = new Map<string, Secret>();
  const problems: VolumeProblem[] = [];
  const refuse = (name: string, what: string) => {
    problems.push({ code: 'refused', name, message: `${JSON.stringify(name)} ${what}` });
  };
  for (const [path, secret] of contents.flatMap((each) => [...each])) {
    const name = path.replaceAll('/', '.');
    if (!namePattern.test(name)) {
      refuse(path, 'is not a usable name; use 1 to 253 of A-Z a-z 0-9 . _ - and do not begin with ".."');
    } else if (files.has(name)) refuse(name, 'is the name of two files; rename one of them');
    else files.set(name, secret);
  }
  if (problems.length > 0) throw new VolumeError(problems);
  return files;
}
