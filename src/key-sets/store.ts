/**
 * Holds the current snapshot and decides what goes into it. It first tries the latest content of all sources together.
 * If that fails, it tries each source alone, with what is in use of the others; what does not fit waits.
 */

import { type Clocks, systemClocks } from '../signing/clocks.ts';
import type { Key } from '../signing/mac.ts';
import { loadKeySets } from './load.ts';
import { ok, type Result, refused } from './result.ts';
import { filesByName, type Secret, type SecretFiles, sealSecret } from './secret.ts';
import { type Configuration, fileName, type KeySource } from './settings.ts';
import { endedKeys, firstExpiryMs, nextSnapshot, type Snapshot, withoutExpired } from './snapshot.ts';
import { type FileChanges, Source } from './source.ts';

export interface KeyStore {
  /** Undefined until there is a first valid one, and again once the keys are dropped. */
  readonly current: Snapshot | undefined;
  readonly configuration: Source<Configuration>;
  /** By path, in the order in which they were given. */
  readonly directories: ReadonlyMap<string, Source<SecretFiles>>;
  /**
   * Reports the latest content of a source. Resolves when the store has applied or refused it.
   * @param content undefined if it cannot be read
   * @param changedFiles names of the files that changed since the last call
   */
  offer<Content>(
    source: Source<Content>,
    content: Content | undefined,
    changedFiles?: Iterable<string>,
  ): Promise<void>;
  /** The latest content of a file or a variable, also if it was refused; undefined if there is none, or two. */
  secretOf(source: KeySource): Secret | undefined;
  /** Resolves when all offered content has been applied or refused. */
  settled(): Promise<void>;
  /** Removes all keys, for good. */
  drop(): void;
}

export interface KeyStoreOptions {
  /** The first snapshot waits until all of these have been read, unless the configuration needs no file. */
  readonly directories: readonly string[];
  /** Undefined if one will be offered later. */
  readonly configuration?: Configuration | undefined;
  /** A key from the environment. */
  readonly variable: (name: string) => Uint8Array | undefined;
  /** Selects which files are read; undefined selects all. Resolves when they have been read and offered. */
  readonly select?: (files: Configuration['files']) => Promise<unknown>;
  /** Told when a content is put to use. */
  readonly onAccepted?: (source: object, changes: FileChanges) => void;
  /** Told when a content is refused, and again when it is refused for another reason. */
  readonly onRefused?: (source: object) => void;
  /** Told when replaced keys of a key set have ended: what they signed is not valid any more. */
  readonly onEnded?: (keySet: string, keys: readonly Key[]) => void;
  /** Default: the system's. */
  readonly clocks?: Clocks;
}

type AnySource = Source<Configuration> | Source<SecretFiles>;

/** The longest that a timer of the runtime can wait. */
const maxTimerMs = 2 ** 31 - 1;

export function createKeyStore(options: KeyStoreOptions): KeyStore {
  const { clocks = systemClocks } = options;
  const configuration = new Source<Configuration>(() => true, options.configuration);
  const newDirectory = () => new Source<SecretFiles>(({ secrets }, file) => secrets.has(file));
  const directories = new Map(options.directories.map((path) => [path, newDirectory()]));
  const sources: readonly AnySource[] = [configuration, ...directories.values()];
  const variables = new Map<string, Secret>();
  let selected = options.configuration === undefined ? new Set<string>() : options.configuration.files;
  let current: Snapshot | undefined;
  let expiry: ReturnType<typeof setTimeout> | undefined;
  let dropped = false;
  let deciding: Promise<void> = Promise.resolve();

  /** Asks once, since a variable is removed from the environment when it is read. */
  const variable = (name: string): Secret | undefined => {
    const known = variables.get(name);
    const value = known === undefined ? options.variable(name) : undefined;
    if (value === undefined) return known;
    const secret = sealSecret(value);
    variables.set(name, secret);
    return secret;
  };

  const publish = (next: Snapshot | undefined) => {
    const ended = current && next ? endedKeys(current, next) : new Map<string, readonly Key[]>();
    current = next;
    clearTimeout(expiry);
    for (const [name, keys] of ended) options.onEnded?.(name, keys);
    if (next === undefined) return;
    const waitMs = firstExpiryMs(next) - clocks.monotonicMs();
    if (waitMs === Number.POSITIVE_INFINITY) return;
    const expire = () => publish(withoutExpired(next, clocks.monotonicMs()));
    expiry = setTimeout(expire, Math.min(Math.max(Math.ceil(waitMs), 0), maxTimerMs));
    expiry.unref();
  };

  /** The files of the configuration in use and of the latest one are read, and no others. */
  const select = async () => {
    const { inUse, latest } = configuration;
    const configurations = [inUse, latest].filter((each) => each !== undefined);
    if (configurations.length === 0) return;
    const files = configurations.every((each) => each.files !== undefined)
      ? new Set(configurations.flatMap((each) => [...(each.files ?? [])]))
      : undefined;
    const isSame = files && selected ? files.symmetricDifference(selected).size === 0 : files === selected;
    if (isSame) return;
    selected = files;
    await options.select?.(files);
  };

  /** @returns the snapshot of these contents, or undefined while something is missing for the first one */
  const build = async (
    settings: Configuration | undefined,
    contents: ReadonlyMap<string, SecretFiles | undefined>,
  ): Promise<Result<Snapshot | undefined>> => {
    if (settings === undefined) return ok(undefined);
    const missing = [...contents].filter(([, content]) => content === undefined).map(([path]) => path);
    if (missing.length > 0 && settings.files?.size !== 0) {
      if (current === undefined) return ok(undefined);
      const unread = missing.join(' and ');
      return refused(
        `the configuration takes keys from files, and ${unread} could not be read yet; mount it there`,
      );
    }
    const keySets = await loadKeySets({ ...filesByName(contents), variable }, settings);
    return keySets.ok ? ok(await nextSnapshot(current, keySets.value, clocks)) : keySets;
  };

  /**
   * Applies the latest content of these sources, with what is in use of the others.
   * @returns whether anything has changed, so that there may be more to decide
   */
  const apply = async (chosen: readonly AnySource[]): Promise<boolean> => {
    const before = chosen.map(({ latest }) => latest);
    const isChosen = (source: object) => chosen.some((each: object) => each === source);
    const contentOf = <C>(source: Source<C>) => (isChosen(source) ? source.latest : source.inUse);
    const contents = new Map([...directories].map(([path, source]) => [path, contentOf(source)]));
    // An unforeseen error must not end a signer that has good keys. Its message could hold anything.
    const built = await build(contentOf(configuration), contents).catch((error) =>
      refused(`could not be loaded: ${error instanceof Error ? error.name : typeof error}`),
    );
    // Do not apply content that was removed or replaced while it was being loaded.
    if (chosen.some(({ latest }, index) => latest !== before[index])) return true;
    if (!built.ok) {
      const source = chosen.at(-1);
      if (source === undefined || (chosen.length > 1 && current !== undefined)) return false;
      if (source.refuse(built.problems, new Date(clocks.now()))) options.onRefused?.(source);
      return false;
    }
    const isFirst = current === undefined && built.value !== undefined;
    if (built.value !== undefined) {
      // The first snapshot also puts to use what has been waiting for it.
      const isWaitingForFirst = ({ inUse }: AnySource) => current === undefined && inUse !== undefined;
      for (const source of sources) if (isChosen(source) || isWaitingForFirst(source)) source.accepted++;
      publish(built.value);
    }
    const accepted = chosen.map((source) => ({ source, changes: source.accept() }));
    for (const { source, changes } of accepted) {
      const { added, removed, modified } = changes;
      const isChange = added.length + removed.length + modified.length > 0;
      if (isFirst || isChange) options.onAccepted?.(source, changes);
    }
    return true;
  };

  /** Whether only files that no key set uses have changed in a directory. */
  const changedOnlyUnused = ({ isWaiting, inUse, changedFiles }: Source<SecretFiles>) => {
    const used = configuration.inUse?.files;
    if (!isWaiting || inUse === undefined || used === undefined || changedFiles.size === 0) return false;
    return [...changedFiles].every((file) => !used.has(fileName(file)));
  };

  /** Applies whatever can be applied after a source has changed. */
  const decide = async (changed: AnySource) => {
    await select();
    for (let progressed = true; progressed && !dropped; ) {
      for (const source of directories.values()) if (changedOnlyUnused(source)) source.accept();
      const waiting = sources.filter(({ isWaiting }) => isWaiting);
      const alone = [...new Set([changed, ...waiting])].filter(({ isWaiting }) => isWaiting);
      // From only a part of the sources, this replica could make a different first snapshot than the others.
      const isEverything = current === undefined || waiting.length <= 1;
      const attempts = isEverything ? [waiting] : [waiting, ...alone.map((source) => [source])];
      progressed = false;
      for (const attempt of attempts) progressed ||= attempt.length > 0 && (await apply(attempt));
    }
    await select();
  };

  return {
    get current() {
      return current;
    },
    configuration,
    directories,
    offer: (source, content, changedFiles = []) => {
      if (dropped) return deciding;
      // Before there is a snapshot, nothing is in use that could be kept.
      if (content === undefined && current === undefined) source.inUse = undefined;
      source.offer(content, changedFiles);
      const offered = sources.find((each: object) => each === source);
      if (offered !== undefined) deciding = deciding.then(() => decide(offered));
      return deciding;
    },
    secretOf: (source) => {
      if ('env' in source) return variable(source.env);
      const { files } = filesByName(new Map([...directories].map(([path, { latest }]) => [path, latest])));
      const [mounted, another] = files.get('root' in source ? source.root : source.file) ?? [];
      return another === undefined ? mounted?.secret : undefined;
    },
    settled: async () => {
      let last: Promise<void>;
      do {
        last = deciding;
        await last;
      } while (last !== deciding);
    },
    drop: () => {
      dropped = true;
      for (const source of sources) {
        source.inUse = undefined;
        source.latest = undefined;
      }
      variables.clear();
      publish(undefined);
    },
  };
}
