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
  /** Drops the present source and starts another: after the directory was replaced, or the source was found deaf. */
  rebuild(): void;
  close(): Promise<void>;
}

const firstBackoffMs = 200;
const lastBackoffMs = 60_000;

/** Watches `directory` as soon as it exists and whenever it comes back; `onHint` also fires when the watch gets up. */
export function keepWatching(directory: string, source: HintSource, onHint: () => void): Watcher {
  let current: { close(): Promise<void> } | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closing: Promise<void> = Promise.resolve();
  let backoffMs = firstBackoffMs;
  let generation = 0;
  let up = false;
  let closed = false;

  const drop = () => {
    generation++;
    up = false;
    clearTimeout(timer);
    timer = undefined;
    const old = current;
    current = undefined;
    if (old !== undefined) closing = closing.then(() => old.close()).catch(() => undefined);
  };
  const retry = () => {
    drop();
    if (closed) return;
    timer = setTimeout(start, backoffMs * (0.8 + Math.random() * 0.4));
    backoffMs = Math.min(backoffMs * 2, lastBackoffMs);
  };
  const start = () => {
    const mine = ++generation;
    const ifCurrent = (act: () => void) => () => {
      if (mine === generation && !closed) act();
    };
    stat(directory).then(
      ifCurrent(() => {
        try {
          current = source(directory, {
            hint: ifCurrent(onHint),
            down: ifCurrent(retry),
            up: ifCurrent(() => {
              up = true;
              backoffMs = firstBackoffMs;
              onHint();
            }),
          });
        } catch {
          retry();
        }
      }),
      ifCurrent(retry),
    );
  };
  start();
  return {
    get up() {
      return up;
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
