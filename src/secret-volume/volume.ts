/**
 * A live secret volume: reads whole generations, publishes the ones its parser accepts, keeps the last good one.
 * One loop serves every trigger (start, hint, poll), so readings are taken one at a time and in order.
 */

import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Change, compare, type Digests, digest } from './change.ts';
import { type Identity, identify, type Layout, type VolumeLimits } from './identity.ts';
import { createListeners } from './listeners.ts';
import { VolumeError } from './problem.ts';
import { asVolumeError, readFiles, wipe } from './read.ts';
import { fileEvents, type HintSource, keepWatching, type Watcher } from './watch.ts';

/** One consistent set of files out of a secret volume. */
export interface Reading {
  /** File name (slashes for sub-directories) to its exact bytes. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly layout: Layout;
  /** Counts up from 1 with each published change of content. */
  readonly generation: number;
  readonly readAt: Date;
}

/** How a volume is doing. */
export interface VolumeHealth {
  /** Why the newest content on disk is not the one in use; undefined when it is. */
  readonly problem: VolumeError | undefined;
  readonly generation: number;
  readonly layout: Layout | undefined;
  /** When the volume was last found readable and valid. */
  readonly lastSuccess: Date | undefined;
  readonly watcher: 'up' | 'down' | 'off';
  /** How many changes the poll found that no event had announced. */
  readonly rescuedByPoll: number;
}

export interface VolumeOptions<T> {
  /**
   * Turns a reading into what the program uses. A throw rejects the reading, and the last good value stays. When a
   * parser is given, the reading's bytes are overwritten as soon as it settles: copy what must be kept.
   * Default: the reading itself.
   */
  readonly parse?: (reading: Reading) => T | Promise<T>;
  readonly limits?: Partial<VolumeLimits>;
  /** Milliseconds between looks at the directory when no event comes, give or take 10 %. Default 4000. */
  readonly pollIntervalMs?: number;
  /** Where hints of a change come from; `false` for the poll alone. Default: file system events. */
  readonly watch?: HintSource | false;
}

/** A live view of a mounted secret directory. Keeps the process alive until closed. */
export interface Volume<T> {
  readonly directory: string;
  /** The last good value; undefined until there is a first. */
  readonly current: T | undefined;
  readonly health: VolumeHealth;
  /** Resolves with the first good value. Rejects when the volume is closed or the signal aborts before that. */
  ready(signal?: AbortSignal): Promise<T>;
  /** Calls back after each change of content. Returns what ends the subscription. */
  onChange(listener: (change: Change) => unknown): () => void;
  /** Calls back once for each new problem, the present one included. Returns what ends the subscription. */
  onProblem(listener: (problem: VolumeError) => unknown): () => void;
  /** Reads the directory now, a rejected reading included, instead of at the next poll. */
  refresh(): void;
  /** Stops watching. Idempotent; no callback follows. */
  close(): Promise<void>;
}

const defaultLimits: VolumeLimits = { maxFileBytes: 2 ** 20, maxFiles: 1024, maxTotalBytes: 2 ** 24 };
const watcherDownPollMs = 1000;
const settleMs = 150;
const settleAtMostMs = 2000;
/** Coarse timestamps (NFS) can hide a change in a plain directory, so each 12th poll reads it anyway. */
const fullReadEachPolls = 12;

/**
 * Opens a mounted secret directory, which need not exist yet.
 * @example
 * const volume = openVolume('/etc/db', { parse: ({ files }) => String(files.get('password')) });
 * const password = await volume.ready();
 */
export function openVolume(directory: string): Volume<Reading>;
export function openVolume<T>(directory: string, options: VolumeOptions<T>): Volume<T>;
export function openVolume<T>(path: string, options: VolumeOptions<T> = {}): Volume<T | Reading> {
  const directory = resolve(path);
  const limits = { ...defaultLimits, ...options.limits };
  const pollIntervalMs = options.pollIntervalMs ?? 4000;
  const source = options.watch ?? fileEvents;
  // The digests tell whether content changed. Their salt makes them useless outside this process.
  const salt = randomBytes(32);
  const changes = createListeners<Change>();
  const problems = createListeners<VolumeError>();
  const firstValue = Promise.withResolvers<T | Reading>();
  firstValue.promise.catch(() => undefined);

  let published: { readonly value: T | Reading; readonly layout: Layout } | undefined;
  let digests: Digests = new Map();
  let generation = 0;
  let seenKey: string | undefined;
  let root: string | undefined;
  let rejectedKey: string | undefined;
  let problem: VolumeError | undefined;
  let lastSuccess: Date | undefined;
  let rescuedByPoll = 0;
  let watcher: Watcher | undefined;
  let pollTimer: ReturnType<typeof setTimeout> | undefined;
  let pollCount = 0;
  let hints = 0;
  let running = false;
  let dirty = false;
  let readAnyway = false;
  let closed = false;

  const degrade = (error: VolumeError) => {
    const known = problem?.message === error.message;
    problem = error;
    if (!known && !closed) problems.emit(error);
  };
  const succeed = ({ key }: Identity) => {
    seenKey = key;
    rejectedKey = undefined;
    problem = undefined;
    lastSuccess = new Date();
  };

  /** Waits until a plain directory has been left alone for a moment: its writers are not atomic. */
  const settle = async () => {
    const deadline = performance.now() + settleAtMostMs;
    let last = await identify(directory, limits);
    while (last.layout === 'plain' && performance.now() < deadline && !closed) {
      await delay(settleMs);
      const now = await identify(directory, limits);
      if (now.key === last.key) return;
      last = now;
    }
  };

  const load = async (unconditionally: boolean) => {
    const identity = await identify(directory, limits);
    if (root !== undefined && root !== identity.root) watcher?.rebuild();
    root = identity.root;
    const known = identity.key === seenKey || identity.key === rejectedKey;
    if (known && !unconditionally) {
      if (identity.key === seenKey) succeed(identity);
      return;
    }
    if (identity.layout === 'plain' && published !== undefined) await settle();
    const files = await readFiles(directory, limits);
    const next = digest(files.files, salt);
    const change = compare(digests, next);
    if (published !== undefined && change === undefined) {
      wipe(files.files);
      succeed(files.identity);
      return;
    }
    if (files.identity.key === rejectedKey && !unconditionally) return wipe(files.files);
    try {
      const reading: Reading = {
        files: files.files,
        layout: files.layout,
        generation: generation + 1,
        readAt: new Date(),
      };
      const value = options.parse === undefined ? reading : await options.parse(reading);
      if (closed) return;
      published = { value, layout: files.layout };
      digests = next;
      generation++;
      succeed(files.identity);
      firstValue.resolve(value);
      if (change !== undefined) changes.emit({ generation, ...change });
    } catch (error) {
      rejectedKey = files.identity.key;
      degrade(asRefusal(error));
    } finally {
      if (options.parse !== undefined) wipe(files.files);
    }
  };

  const trigger = async () => {
    dirty = true;
    if (running) return;
    running = true;
    while (dirty && !closed) {
      dirty = false;
      const unconditionally = readAnyway;
      readAnyway = false;
      await load(unconditionally).catch((error) => degrade(asVolumeError(error, directory)));
    }
    running = false;
  };

  const poll = async () => {
    const before = { generation, hints };
    if (++pollCount % fullReadEachPolls === 0 && published?.layout === 'plain') readAnyway = true;
    await trigger();
    if (closed) return;
    const rescued = generation > before.generation && before.generation > 0 && hints === before.hints;
    if (rescued && watcher?.up) {
      // The event for this change never came: the watch is deaf.
      rescuedByPoll++;
      watcher.rebuild();
    }
    schedulePoll();
  };
  const schedulePoll = () => {
    const base = watcher?.up === false ? Math.min(watcherDownPollMs, pollIntervalMs) : pollIntervalMs;
    pollTimer = setTimeout(poll, base * (0.9 + Math.random() * 0.2));
  };

  const watcherState = (): VolumeHealth['watcher'] => {
    if (watcher === undefined) return 'off';
    return watcher.up ? 'up' : 'down';
  };

  void trigger();
  if (source !== false) {
    watcher = keepWatching(directory, source, () => {
      hints++;
      void trigger();
    });
  }
  schedulePoll();

  return {
    directory,
    get current() {
      return published?.value;
    },
    get health() {
      return {
        problem,
        generation,
        layout: published?.layout,
        lastSuccess,
        watcher: watcherState(),
        rescuedByPoll,
      };
    },
    ready: (signal) => (signal === undefined ? firstValue.promise : orAborted(firstValue.promise, signal)),
    onChange: (listener) => changes.add(listener),
    onProblem: (listener) => {
      if (problem !== undefined) listener(problem);
      return problems.add(listener);
    },
    refresh: () => {
      readAnyway = true;
      void trigger();
    },
    close: () => {
      if (!closed) {
        closed = true;
        clearTimeout(pollTimer);
        changes.clear();
        problems.clear();
        firstValue.reject(new Error(`the volume ${directory} was closed before it was ready`));
      }
      return watcher?.close() ?? Promise.resolve();
    },
  };
}

/** A parser's own problems as they are; of any other error only its message, which the parser answers for. */
function asRefusal(error: unknown): VolumeError {
  if (error instanceof VolumeError) return error;
  const message = error instanceof Error ? error.message : 'the reading was refused';
  return new VolumeError([{ code: 'refused', message }]);
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
