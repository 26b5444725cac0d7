/** A program that holds secret volumes for a long time and keeps account of what it saw. */

import {
  type HintSource,
  openVolume,
  type Volume,
  type VolumeHealth,
} from '../../src/secret-volume/index.ts';
import { type Remote, type RemoteOptions, serveRemote, startRemote } from '../support/remote.ts';
import { type Resources, resources } from '../support/resources.ts';

/** What its watcher is like. `events` is the real one. */
export type WatcherKind = 'events' | 'deaf' | 'dead' | 'off';

export interface Account {
  readonly readings: number;
  /** Readings whose files were not all of one generation. */
  readonly torn: number;
  /** The number in the files of the current reading. */
  readonly current: number;
  readonly watcher: VolumeHealth['watcher'];
  readonly rescuedByPoll: number;
  readonly problem: string | undefined;
}

export interface LoadCost {
  readonly loadMs: number;
  /** The longest time that the event loop was held up while loading. */
  readonly heldUpMs: number;
}

interface Held {
  readonly volume: Volume<number>;
  readings: number;
  torn: number;
  /** When looks at the directory began, and when each number was first current; milliseconds since the epoch. */
  readonly looks: number[];
  readonly published: Map<number, number>;
}

const deaf: HintSource = (_, events) => {
  queueMicrotask(events.up);
  return { close: async () => undefined };
};
const dead: HintSource = (_, events) => {
  queueMicrotask(events.down);
  return { close: async () => undefined };
};

const held = new Map<string, Held>();
let hammering = false;

const functions = {
  open(directory: string, names: readonly string[], kind: WatcherKind, pollIntervalMs: number): void {
    const watch = {
      events: {},
      deaf: { watch: deaf },
      dead: { watch: dead },
      off: { watch: false as const },
    };
    const volume = openVolume(directory, {
      ...watch[kind],
      pollIntervalMs,
      parse: (reading) => {
        const numbers = new Set(reading.names.map((name) => reading.text(name)));
        entry.readings++;
        if (numbers.size !== 1 || reading.names.length !== names.length) entry.torn++;
        return Number(reading.text(names[0] ?? ''));
      },
    });
    const entry: Held = { volume, readings: 0, torn: 0, looks: [], published: new Map() };
    held.set(directory, entry);
  },

  account(directory: string): Account {
    const { volume, readings, torn } = find(directory);
    const { watcher, rescuedByPoll, problem } = volume.health;
    return {
      readings,
      torn,
      current: volume.current ?? -1,
      watcher,
      rescuedByPoll,
      problem: problem?.message,
    };
  },

  /** Has the volume read all the time, not only when it changes. */
  hammer(directory: string): void {
    hammering = true;
    const { volume } = find(directory);
    const refresh = () => {
      if (!hammering) return;
      volume.refresh();
      setTimeout(refresh, 1);
    };
    refresh();
  },

  /** Notes from now on when looks at the directory begin, and what they publish. */
  noteLooks(directory: string): void {
    const { volume, looks, published } = find(directory);
    volume.onChange(() => published.set(volume.current ?? -1, Date.now()));
    setInterval(() => {
      const at = volume.health.lastAttempt?.getTime();
      if (at !== undefined && at !== looks.at(-1)) looks.push(at);
    }, 2);
  },

  /** How many looks began after `since` before this number was current, and how long it took; undefined if it is not yet. */
  found(directory: string, number: number, since: number): { looks: number; afterMs: number } | undefined {
    const { looks, published } = find(directory);
    const at = published.get(number);
    if (at === undefined) return undefined;
    return { looks: looks.filter((look) => look > since && look < at).length, afterMs: at - since };
  },

  /** What the process holds once its garbage is collected. */
  resources(): Resources {
    globalThis.Bun?.gc(true);
    globalThis.gc?.();
    return resources();
  },

  /** Loads a volume that was just updated, for the first time or anew. */
  async load(directory: string): Promise<LoadCost> {
    let heldUpMs = 0;
    let last = performance.now();
    const beat = setInterval(() => {
      const now = performance.now();
      heldUpMs = Math.max(heldUpMs, now - last - 1);
      last = now;
    }, 1);
    const started = performance.now();
    const volume = openVolume(directory, { watch: false, parse: () => 0 });
    await volume.ready();
    const loadMs = performance.now() - started;
    await volume.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    clearInterval(beat);
    return { loadMs, heldUpMs };
  },

  async close(directory: string): Promise<void> {
    hammering = false;
    await find(directory).volume.close();
  },
};

export type Subject = Remote<typeof functions>;

export function startSubject(options: RemoteOptions): Subject {
  return startRemote<typeof functions>(import.meta.filename, options);
}

function find(directory: string): Held {
  const entry = held.get(directory);
  if (entry === undefined) throw new Error(`${directory} is not open`);
  return entry;
}

if (process.argv[1] === import.meta.filename) await serveRemote(functions);
