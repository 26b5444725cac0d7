/**
 * Keeps a source of change hints alive. A hint only wakes the reader: correctness rests on the poll in volume.ts,
 * because a watcher can lose events, or hold no watch at all, without an error.
 */

import { stat } from 'node:fs/promises';
import { watch } from 'chokidar';

/** What a hint source reports. After `down` the source is closed and a new one is started. */
export interface HintEvents {
  hint(): void;
  up(): void;
  down(): void;
}

/** Starts watching a directory that exists; returns what stops it. */
export type HintSource = (directory: string, events: HintEvents) => { close(): Promise<void> };

/**
 * File system events by chokidar. Only the mount directory itself is watched: a second watch on `..data` dies at the
 * first swap and adds nothing.
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
    const root = path === directory && (event === 'addDir' || event === 'unlinkDir');
    if (root) fail();
    else events.hint();
  });
  // "ready" comes even when the watch could not be set up (inotify limits), hence the flag.
  watcher.on('ready', () => {
    if (!failed) events.up();
  });
  return watcher;
};

/** A hint source that is rebuilt whenever it fails. */
export interface Watcher {
  readonly up: boolean;
  /** How many sources were started after the first. */
  readonly restarts: number;
  /** Drops the present source and starts another: after the directory was replaced, or the source was found deaf. */
  rebuild(): void;
  close(): Promise<void>;
}

/** A source may remember every name that it has seen (chokidar does), and each generation of a volume has another one. */
const renewAfterHints = 1000;
const firstBackoffMs = 200;
const lastBackoffMs = 60_000;

/** Watches `directory` as soon as it exists and whenever it comes back; `onHint` also fires when the watch gets up. */
export function keepWatching(directory: string, source: HintSource, onHint: () => void): Watcher {
  let current: ReturnType<HintSource> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closing: Promise<void> = Promise.resolve();
  let backoffMs = firstBackoffMs;
  /** Which start is in force; what an earlier one still reports is ignored. */
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
    // A source that fails as soon as it is up would otherwise be started five times a second for ever.
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
    const mine = ++attempt;
    const inForce = () => mine === attempt && !closed;
    const ifInForce = (act: () => void) => () => {
      if (inForce()) act();
    };
    const open = () => {
      started++;
      const opened = source(directory, {
        hint: ifInForce(() => {
          onHint();
          if (++hints === renewAfterHints) renew();
        }),
        down: ifInForce(retry),
        up: ifInForce(() => {
          upSince = performance.now();
          onHint();
        }),
      });
      if (inForce()) current = opened;
      else end(opened);
    };
    stat(directory).then(ifInForce(open)).catch(ifInForce(retry));
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
