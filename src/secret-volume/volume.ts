/**
 * A live secret volume, as programs hold it. Wires the parts: hints and the poll wake the loader, the loader publishes,
 * and whoever subscribed is told.
 */

import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Change, compare, type Digests } from './change.ts';
import { type Selection, selectPaths, type VolumeLimits } from './identity.ts';
import { call, createListeners } from './listeners.ts';
import { createLoader, type LoadHealth } from './loader.ts';
import { inspectMount } from './mount.ts';
import type { VolumeError, VolumeWarning } from './problem.ts';
import type { Reading } from './reading.ts';
import { fileEvents, type HintSource, keepWatching, type Watcher } from './watch.ts';

/** How a volume is doing; a snapshot. */
export interface VolumeHealth extends LoadHealth {
  /** Why the newest content on disk is not the one in use; undefined when it is. */
  readonly problem: VolumeError | undefined;
  /** Of the value in use; 0 before there is one. */
  readonly generation: number;
  /** When the volume was last found readable and valid. */
  readonly lastSuccess: Date | undefined;
  /** When the volume was last looked at. */
  readonly lastAttempt: Date | undefined;
  /** How many contents were complete and yet refused: by `required`, by `parse`, or for being empty. */
  readonly rejected: number;
  readonly watcher: 'up' | 'down' | 'off';
  /** How often the watcher was started anew: after an error, or because it had gone deaf. */
  readonly watcherRestarts: number;
  /** How many changes the poll found that the watcher, though up, had not announced. */
  readonly rescuedByPoll: number;
}

export interface VolumeOptions<T = Reading> {
  /**
   * Files that must be there and not be empty. If `required` or `optional` is given, other files are neither read nor
   * noticed. Default: every file is read, and there must be one.
   */
  readonly required?: readonly string[];
  /** Files that may be missing. */
  readonly optional?: readonly string[];
  /**
   * Checks a reading and turns it into what the program uses. A throw rejects the reading, and the last good value
   * stays; throw a `VolumeError` to say why, since of any other error only the name is kept. Unless the reading itself
   * is returned, its bytes are overwritten once `parse` has settled.
   * Default: the reading itself.
   */
  readonly parse?: (reading: Reading) => T | Promise<T>;
  readonly limits?: Partial<VolumeLimits>;
  /** Milliseconds between looks at the directory when no event comes, give or take 10 %. Default 4000. */
  readonly pollIntervalMs?: number;
  /** Where hints of a change come from; `false` for the poll alone. Default: file system events. */
  readonly watch?: HintSource | false;
}

/**
 * A live view of a mounted secret directory. Keeps the process alive until closed.
 *
 * Iterating over it gives the content at hand as `added`, then each change of content until the volume is closed. A
 * slow consumer gets several changes as one; `current` is never older than the change just given.
 */
export interface Volume<T> extends AsyncIterable<Change> {
  readonly directory: string;
  /** The last good value; undefined until there is a first. */
  readonly current: T | undefined;
  readonly health: VolumeHealth;
  /** Resolves with `current` as soon as there is one. Rejects when the volume is closed or the signal aborts before. */
  ready(signal?: AbortSignal): Promise<T>;
  /** Calls back after each change of content. Returns what ends the subscription. */
  onChange(listener: (change: Change) => unknown): () => void;
  /** Calls back once for each new problem, the present one included. Returns what ends the subscription. */
  onProblem(listener: (problem: VolumeError) => unknown): () => void;
  /** Calls back when a problem is over, whether or not the content changed. Returns what ends the subscription. */
  onRecovery(listener: () => unknown): () => void;
  /** Calls back once for each warning, earlier ones included. Returns what ends the subscription. */
  onWarning(listener: (warning: VolumeWarning) => unknown): () => void;
  /** Reads the directory now, a rejected reading included, instead of at the next poll. */
  refresh(): void;
  /**
   * Changes which files are read, in place of `required` and `optional`; undefined selects all. Resolves when they have
   * been read, or could not be: `current` and `health` tell.
   */
  select(selection: Selection | undefined): Promise<void>;
  /** Stops watching and ends iterations. Idempotent; no callback follows. `current` stays. */
  close(): Promise<void>;
}

const defaultLimits: VolumeLimits = { maxFileBytes: 2 ** 20, maxFiles: 1024, maxTotalBytes: 2 ** 24 };
const defaultPollMs = 4000;
const watcherDownPollMs = 1000;
/** Coarse timestamps (NFS) can hide a change in a plain directory, so each 12th poll reads it anyway. */
const fullReadEachPolls = 12;
/** An event may still be on its way when the poll finds its change. */
const eventGraceMs = 250;
const maxWarnings = 1000;

/**
 * Opens a mounted secret directory, which need not exist yet.
 * @throws {RangeError} for an interval or a limit that is not a positive number
 * @example
 * const db = openVolume('/etc/db', {
 *   required: ['username', 'password'],
 *   parse: (secret) => secret.credentials(),
 * });
 * const { username, password } = await db.ready();
 * for await (const change of db) pool.reconnect(db.current);
 */
export function openVolume(directory: string, options?: VolumeOptions): Volume<Reading>;
export function openVolume<T>(
  directory: string,
  options: VolumeOptions<T> & Required<Pick<VolumeOptions<T>, 'parse'>>,
): Volume<T>;
export function openVolume<T>(path: string, options: VolumeOptions<T> = {}): Volume<T | Reading> {
  const directory = resolve(path);
  const { required = [], optional = [], watch: source = fileEvents } = options;
  const pollMs = positive('pollIntervalMs', options.pollIntervalMs ?? defaultPollMs);
  const limits = { ...defaultLimits, ...options.limits };
  for (const [name, limit] of Object.entries(limits)) positive(name, limit);
  const names = (options.required ?? options.optional) && new Set([...required, ...optional]);
  const selection = names && selectPaths(names);
  const parse = options.parse ?? ((reading: Reading) => reading);

  const changes = createListeners<Change>();
  const problems = createListeners<VolumeError>();
  const recoveries = createListeners<void>();
  const warnings = createListeners<VolumeWarning>();
  const told = new Map<string, VolumeWarning>();
  const first = Promise.withResolvers<void>();
  first.promise.catch(() => undefined);
  const closing = new AbortController();
  let wake = Promise.withResolvers<void>();
  let watcher: Watcher | undefined;
  let hints = 0;
  let rescuedByPoll = 0;

  const warn = (warning: VolumeWarning) => {
    if (closing.signal.aborted || told.has(warning.message) || told.size === maxWarnings) return;
    told.set(warning.message, warning);
    warnings.emit(warning);
  };
  const watch = (hintSource: HintSource) =>
    keepWatching(directory, hintSource, () => {
      hints++;
      void loader.load();
    });
  const wakeIterations = () => {
    wake.resolve();
    wake = Promise.withResolvers();
  };

  const loader = createLoader<T | Reading>({ directory, limits, selection }, required, parse, {
    change: (change) => {
      first.resolve();
      changes.emit(change);
      wakeIterations();
    },
    problem: problems.emit,
    recovered: () => recoveries.emit(),
    warning: warn,
    found: async ({ layout }) => {
      if (watcher !== undefined) watcher.rebuild();
      else if (source !== false && !closing.signal.aborted) watcher = watch(source);
      for (const warning of await inspectMount(directory, layout)) warn(warning);
    },
  });
  const generation = () => loader.published?.generation ?? 0;
  const watcherState = (): VolumeHealth['watcher'] => {
    if (source === false) return 'off';
    return watcher?.up ? 'up' : 'down';
  };

  const pause = (ms: number) => delay(ms, undefined, { signal: closing.signal });
  const keepPolling = async () => {
    for (let count = 1; ; count++) {
      const usualMs = watcherState() === 'down' ? Math.min(watcherDownPollMs, pollMs) : pollMs;
      await pause(usualMs * (0.9 + Math.random() * 0.2));
      const before = { generation: generation(), hints };
      const full = loader.health.layout === 'plain' && count % fullReadEachPolls === 0;
      await loader.load(full ? 'read' : 'look');
      const found = before.generation > 0 && generation() > before.generation;
      const unannounced = () => watcher?.up === true && hints === before.hints;
      if (!found || !unannounced()) continue;
      await pause(eventGraceMs);
      if (!unannounced()) continue;
      // The event for this change never came: the watch is deaf.
      rescuedByPoll++;
      watcher?.rebuild();
    }
  };

  void loader.load();
  keepPolling().catch((error) => {
    if (!closing.signal.aborted) throw error;
  });

  const volume: Volume<T | Reading> = {
    directory,
    get current() {
      return loader.published?.value;
    },
    get health() {
      return Object.freeze({
        ...loader.health,
        generation: generation(),
        watcher: watcherState(),
        watcherRestarts: watcher?.restarts ?? 0,
        rescuedByPoll,
      });
    },
    ready: async (signal) => {
      for (;;) {
        if (loader.published !== undefined) return loader.published.value;
        await orAborted(first.promise, signal);
      }
    },
    onChange: (listener) => changes.add(listener),
    onProblem: (listener) => {
      const { problem } = loader.health;
      if (problem !== undefined) void call(listener, problem);
      return problems.add(listener);
    },
    onRecovery: (listener) => recoveries.add(listener),
    onWarning: (listener) => {
      for (const warning of told.values()) void call(listener, warning);
      return warnings.add(listener);
    },
    async *[Symbol.asyncIterator]() {
      let seen: Digests = new Map();
      while (!closing.signal.aborted) {
        const now = loader.published;
        const change = now === undefined ? undefined : compare(seen, now.digests);
        if (now === undefined || change === undefined) {
          await wake.promise;
        } else {
          seen = now.digests;
          yield Object.freeze({ generation: now.generation, ...change });
        }
      }
    },
    refresh: () => void loader.load('retry'),
    select: loader.select,
    close: async () => {
      closing.abort();
      loader.close();
      for (const listeners of [changes, problems, recoveries, warnings]) listeners.clear();
      first.reject(new Error(`the volume ${directory} was closed before it was ready`));
      wakeIterations();
      await watcher?.close();
    },
  };
  // An inspection or JSON of a volume must not show the secret in use.
  return Object.freeze(Object.defineProperty(volume, 'current', { enumerable: false }));
}

function positive(name: string, value: number): number {
  if (value > 0 && value < 2 ** 31) return value;
  throw new RangeError(`"${name}" must be a positive number below 2^31`);
}

function orAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
