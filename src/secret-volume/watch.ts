/**
 * Keeps a source of change hints running. A hint only makes the loader look sooner. The poll in volume.ts finds every
 * change, because a watcher can lose events, or watch nothing at all, without an error.
 */

import { stat } from 'node:fs/promises';
import { watch } from 'chokidar';

/** The events of a hint source. After `down`, the source is closed and a new one is started. */
export interface HintEvents {
  hint(): void;
  up(): void;
  down(): void;
}

/** Starts to watch an existing directory. */
export type HintSource = (directory: string, events: HintEvents) => { close(): Promise<void> };

/**
 * File system events by chokidar. It watches only the mount directory itself, because a watch on `..data` ends at the
 * first swap and reports nothing more.
 */
export const fileEvents: HintSource = (directory, events) => {
  const watcher = watch(directory, {
    depth: 0,
    followSymlinks: false,
    ignoreInitial: true,
    atomic: false,
    persistent: false,
  });
  let failed = false;
  const fail = () => {
    failed = true;
    events.down();
  };
  watcher.on('error', fail);
  watcher.on('all', (event, path) => {
    if (path === directory && (event === 'addDir' || event === 'unlinkDir')) fail();
  });
  // The event as the system reports it, before chokidar has found out what has changed.
  watcher.on('raw', () => events.hint());
  // chokidar emits "ready" even if the watch could not be set up (inotify limits), hence the flag.
  watcher.on('ready', () => {
    if (!failed) events.up();
  });
  return watcher;
};

/** A hint source that is restarted whenever it fails. */
export interface Watcher {
  readonly up: boolean;
  /** How often a source was started after the first. */
  readonly restarts: number;
  /** Replaces the source: after the directory was replaced, or if the source no longer reports changes. */
  rebuild(): void;
  close(): Promise<void>;
}

/**
 * chokidar remembers every name that it has seen, and each generation of a volume adds one, so it is renewed. One update of
 * a volume gives several hints.
 */
const renewAfterHints = 2000;
const firstBackoffMs = 200;
const lastBackoffMs = 60_000;

/** Watches `directory` as soon as it exists, and again whenever it reappears. `onHint` is also called when a watch starts. */
export function keepWatching(directory: string, source: HintSource, onHint: () => void): Watcher {
  let current: ReturnType<HintSource> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closing: Promise<void> = Promise.resolve();
  let backoffMs = firstBackoffMs;
  /** The number of the latest start. Events of earlier sources are ignored. */
  let attempt = 0;
  let upSince: number | undefined;
  let hints = 0;
  let started = 0;
  let closed = false;

  const end = (old: ReturnType<HintSource>) => {
    closing = closing.then(() => old.close()).catch(() => undefined);
  };
  const drop = () => {
    attempt++;
    upSince = undefined;
    clearTimeout(timer);
    if (current !== undefined) end(current);
    current = undefined;
  };
  const retry = () => {
    // Only reset the delay after a long time up: a source that fails at once would restart five times a second.
    if (upSince !== undefined && performance.now() - upSince > lastBackoffMs) backoffMs = firstBackoffMs;
    drop();
    timer = setTimeout(start, backoffMs * (0.8 + Math.random() * 0.4));
    backoffMs = Math.min(backoffMs * 2, lastBackoffMs);
  };
  const renew = () => {
    hints = 0;
    started--;
    drop();
    start();
  };
  const start = () => {
    const own = ++attempt;
    const isLatest = () => own === attempt && !closed;
    const ifLatest = (act: () => void) => () => {
      if (isLatest()) act();
    };
    const open = () => {
      started++;
      const opened = source(directory, {
        hint: ifLatest(() => {
          onHint();
          if (++hints === renewAfterHints) renew();
        }),
        down: ifLatest(retry),
        up: ifLatest(() => {
          upSince = performance.now();
          onHint();
        }),
      });
      if (isLatest()) current = opened;
      else end(opened);
    };
    stat(directory).then(ifLatest(open)).catch(ifLatest(retry));
  };
  start();
  return {
    get up() {
      return upSince !== undefined;
    },
    get restarts() {
      return Math.max(started - 1, 0);
    },
    rebuild: () => {
      backoffMs = firstBackoffMs;
      drop();
      start();
    },
    close: async () => {
      closed = true;
      drop();
      await closing;
    },
  };
}
