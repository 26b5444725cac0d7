/**
 * A live view of a secret volume. Connects the parts: hints and the poll start the loader, the loader publishes a new
 * value, and the subscribers are notified.
 */

import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Change, compare, type Digests } from './change.ts';
import type { Selection } from './identity.ts';
import { call, createListeners } from './listeners.ts';
import { createLoader, type LoadHealth } from './loader.ts';
import { inspectMount } from './mount.ts';
import { resolveOptions, type VolumeOptions } from './options.ts';
import { createOutage } from './outage.ts';
import type { VolumeError, VolumeWarning } from './problem.ts';
import type { Reading } from './reading.ts';
import { type HintSource, keepWatching, type Watcher } from './watch.ts';

/** The state of a volume at one moment. */
export interface VolumeHealth extends LoadHealth {
  /** Why the latest content on disk is not in use; undefined if it is. */
  readonly problem: VolumeError | undefined;
  /** The generation of the value in use; 0 if there is none yet. */
  readonly generation: number;
  /** When the volume was last readable and valid. */
  readonly lastSuccess: Date | undefined;
  /** When the volume was last checked. */
  readonly lastAttempt: Date | undefined;
  /** How many contents were read completely, but rejected: by `required`, by `parse`, or because they were empty. */
  readonly rejected: number;
  readonly watcher: 'up' | 'down' | 'off';
  /** How often the watcher was restarted, after an error or because it had stopped reporting changes. */
  readonly watcherRestarts: number;
  /** How many changes the poll found that the watcher had missed while it was up. */
  readonly rescuedByPoll: number;
}

/**
 * A live view of a mounted secret directory. It keeps the process alive until you close it.
 *
 * An iteration first yields the present content as `added`, and then each change until the volume is closed. If the
 * consumer is slow, several changes are merged into one. `current` is never older than the last change that was yielded.
 */
export interface Volume<T> extends AsyncIterable<Change> {
  readonly directory: string;
  /** The last good value; undefined if there was none yet. */
  readonly current: T | undefined;
  readonly health: VolumeHealth;
  /** Resolves to `current` as soon as there is a value. Rejects if the volume is closed or the signal is aborted first. */
  ready(signal?: AbortSignal): Promise<T>;
  /** Calls the listener after each change of content. Returns a function that ends the subscription. */
  onChange(listener: (change: Change) => unknown): () => void;
  /** Calls the listener for the present problem and each new one. Returns a function that ends the subscription. */
  onProblem(listener: (problem: VolumeError) => unknown): () => void;
  /** Calls the listener when a problem is over. Returns a function that ends the subscription. */
  onRecovery(listener: () => unknown): () => void;
  /** Calls the listener for all earlier warnings and each new one. Returns a function that ends the subscription. */
  onWarning(listener: (warning: VolumeWarning) => unknown): () => void;
  /**
   * Calls the listener with `down` when no watcher has run for a few seconds, so that only the poll finds changes, and
   * with `up` when one runs again. Calls it at once if that is so now. Returns a function that ends the subscription.
   */
  onWatcher(listener: (state: 'up' | 'down') => unknown): () => void;
  /** Reads the directory now instead of at the next poll, even if its content was rejected before. */
  refresh(): void;
  /**
   * Changes which files are read, in place of `required` and `optional`; undefined selects all files. Settles when they
   * have been read, or could not be read: see `current` and `health`.
   */
  select(selection: Selection | undefined): Promise<void>;
  /** Stops watching, ends iterations, and calls no listener afterwards. `current` stays. May be called again. */
  close(): Promise<void>;
}

const watcherDownPollMs = 1000;
/** Coarse timestamps (NFS) can hide a change in a plain directory, so every 12th poll reads all files. */
const fullReadEachPolls = 12;
/** When the poll finds a change, the event for it may arrive a little later. */
const eventGraceMs = 250;
const maxWarnings = 1000;

/**
 * Opens a mounted secret directory. It need not exist yet.
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
  const { target, pollMs, source } = resolveOptions(directory, options);
  const parse = options.parse ?? ((reading: Reading) => reading);

  const changes = createListeners<Change>();
  const problems = createListeners<VolumeError>();
  const recoveries = createListeners<void>();
  const warnings = createListeners<VolumeWarning>();
  const watcherStates = createListeners<'up' | 'down'>();
  const outage = createOutage(watcherStates.emit);
  const warned = new Map<string, VolumeWarning>();
  const first = Promise.withResolvers<void>();
  first.promise.catch(() => undefined);
  const closing = new AbortController();
  let wake = Promise.withResolvers<void>();
  let watcher: Watcher | undefined;
  let hints = 0;
  let rescuedByPoll = 0;

  const warn = (warning: VolumeWarning) => {
    if (closing.signal.aborted || warned.has(warning.message) || warned.size === maxWarnings) return;
    warned.set(warning.message, warning);
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

  const loader = createLoader<T | Reading>(target, parse, {
    change: (change) => {
      first.resolve();
      changes.emit(change);
      wakeIterations();
    },
    problem: problems.emit,
    recovered: () => recoveries.emit(),
    warning: warn,
    directory: async ({ layout }) => {
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
      outage.observe(watcher?.up, loader.health.problem);
      const hasChanged = before.generation > 0 && generation() > before.generation;
      const unannounced = () => watcher?.up === true && hints === before.hints;
      if (!hasChanged || !unannounced()) continue;
      await pause(eventGraceMs);
      if (!unannounced()) continue;
      // There was no event for this change, so the watcher no longer works.
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
      for (const warning of warned.values()) void call(listener, warning);
      return warnings.add(listener);
    },
    onWatcher: (listener) => {
      if (outage.isOn) void call(listener, 'down');
      return watcherStates.add(listener);
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
      for (const listeners of [changes, problems, recoveries, warnings, watcherStates]) listeners.clear();
      first.reject(new Error(`the volume ${directory} was closed before it was ready`));
      wakeIterations();
      await watcher?.close();
    },
  };
  // `console.log` and `JSON.stringify` of a volume must not show the secret.
  return Object.freeze(Object.defineProperty(volume, 'current', { enumerable: false }));
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
