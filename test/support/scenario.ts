/**
 * The scenarios of a secret volume, each a row of a table (A1, A2, ...): a directory of its own, a writer in another
 * process, and volumes that are closed when the row ends.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import {
  type Change,
  type HintSource,
  openVolume,
  type Reading,
  type Volume,
  type VolumeError,
  type VolumeOptions,
  type VolumeWarning,
} from '../../src/secret-volume/index.ts';
import { type Reader, startReader } from './reader-process.ts';
import type { RemoteOptions } from './remote.ts';
import { temporaryDirectory, waitFor } from './signer.ts';
import { startWriter, type Writer } from './writer-process.ts';

/** An open volume and all that it has told. */
export interface Watched<T> {
  readonly volume: Volume<T>;
  readonly changes: readonly Change[];
  readonly problems: readonly VolumeError[];
  readonly warnings: readonly VolumeWarning[];
  /** Codes of the problems told so far. */
  codes(): readonly string[];
  /** Waits until the directory has been looked at, from beginning to end, after this call. */
  looked(): Promise<void>;
  /** Waits until the first poll, which comes a second after the start whatever the interval, has passed. */
  firstPoll(): Promise<void>;
  /** Waits until the volume is at this generation. */
  reaches(generation: number): Promise<void>;
}

export interface Scene {
  /** Where the volume is mounted; does not exist yet. */
  readonly directory: string;
  /** Another place, which does exist. */
  readonly elsewhere: string;
  readonly writer: Writer['call'];
  open(options?: VolumeOptions): Watched<Reading>;
  open<T>(options: VolumeOptions<T> & Required<Pick<VolumeOptions<T>, 'parse'>>): Watched<T>;
  /** A program of its own that can hold a volume. */
  reader(options?: RemoteOptions): Reader;
}

export interface SceneOptions {
  /** It runs twice more, with the watcher off and with a deaf one, so that only the poll can find a change. */
  readonly polled?: true;
  readonly needs?: readonly (keyof typeof needs)[];
  readonly timeout?: number;
}

/** What a scene needs of the machine; where it is not given, the scene is left out under a name that says so. */
const needs = {
  root: () => process.getuid?.() === 0,
  'user namespaces': () => succeeds('unshare', '-Ur', 'true'),
  'mount namespaces': () => succeeds('unshare', '-m', 'true'),
} as const;

/** Often enough for a row to wait for the poll. */
export const quickPoll = { pollIntervalMs: 300 };
/** Longer than any row takes: what is seen by then was seen without the poll. */
export const noPoll = { pollIntervalMs: 3_600_000 };

const deaf: HintSource = (_, events) => {
  queueMicrotask(events.up);
  return { close: async () => undefined };
};

const usualMode = [['', quickPoll]] as const;
const modes = [
  ['', noPoll],
  [', with the watcher off', { ...quickPoll, watch: false }],
  [', with a deaf watcher', { ...quickPoll, watch: deaf }],
] as const;

/** Tests that each get a scene of their own; they share the writer's process. */
export function stage() {
  const writer = startWriter();
  afterAll(() => writer.kill());
  return (behaviour: string, act: (scene: Scene) => Promise<void>, options: SceneOptions = {}) => {
    const missing = (options.needs ?? []).filter((need) => !needs[need]());
    if (missing.length > 0) {
      test.skip(`${behaviour} (left out: needs ${missing.join(' and ')})`, () => undefined);
      return;
    }
    for (const [suffix, defaults] of options.polled ? modes : usualMode) {
      const timeout = options.timeout ?? 60_000;
      test(behaviour + suffix, { timeout }, () => play(writer, defaults, act));
    }
  };
}

/**
 * One table of rows. Its last test fails if a row is missing.
 * @param count how many rows the table has: A1, A2, ... are all of them
 */
export function scenarios(table: string, count: number) {
  const scene = stage();
  const rows = new Set<string>();
  return {
    row: (name: string, behaviour: string, act: (scene: Scene) => Promise<void>, options?: SceneOptions) => {
      rows.add(name);
      scene(`${name} ${behaviour}`, act, options);
    },
    end: () =>
      test(`${table} has all of its ${count} rows`, () => {
        const all = Array.from({ length: count }, (_, index) => `${table}${index + 1}`);
        expect([...rows].sort()).toEqual(all.sort());
      }),
  };
}

async function play(
  writer: Writer,
  defaults: VolumeOptions,
  act: (scene: Scene) => Promise<void>,
): Promise<void> {
  const place = temporaryDirectory();
  const volumes: Volume<unknown>[] = [];
  const readers: Reader[] = [];
  const elsewhere = join(place.path, 'elsewhere');
  mkdirSync(elsewhere);
  const open = (options: VolumeOptions = {}) => {
    const watched = follow(openVolume(join(place.path, 'volume'), { ...defaults, ...options }));
    volumes.push(watched.volume);
    return watched;
  };
  const reader = (options?: RemoteOptions) => {
    const started = startReader(options);
    readers.push(started);
    return started;
  };
  try {
    await act({
      directory: join(place.path, 'volume'),
      elsewhere,
      writer: writer.call,
      open: open as Scene['open'],
      reader,
    });
  } finally {
    for (const started of readers) started.kill();
    await Promise.all(volumes.map((volume) => volume.close()));
    place[Symbol.dispose]();
  }
}

function follow<T>(volume: Volume<T>): Watched<T> {
  const openedAt = Date.now();
  const changes: Change[] = [];
  const problems: VolumeError[] = [];
  const warnings: VolumeWarning[] = [];
  volume.onChange((change) => changes.push(change));
  volume.onProblem((problem) => problems.push(problem));
  volume.onWarning((warning) => warnings.push(warning));
  const nextAttempt = async () => {
    const last = volume.health.lastAttempt;
    await until(() => volume.health.lastAttempt !== last);
  };
  return {
    volume,
    changes,
    problems,
    warnings,
    codes: () => problems.flatMap((error) => error.problems.map(({ code }) => code)),
    looked: async () => {
      await nextAttempt();
      await nextAttempt();
    },
    firstPoll: () => until(() => (volume.health.lastAttempt?.getTime() ?? 0) - openedAt > 850),
    reaches: async (generation) => {
      await until(() => volume.health.generation >= generation);
    },
  };
}

/** Waits until the condition holds. */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> {
  await waitFor(async () => ((await condition()) ? true : undefined), withinMs);
}

/** Gives the warnings of this process to the act while it runs, instead of printing them. */
export async function withProcessWarnings(act: (warned: readonly Error[]) => Promise<void>): Promise<void> {
  const printing = process.listeners('warning');
  const warned: Error[] = [];
  process.removeAllListeners('warning');
  process.on('warning', (warning) => warned.push(warning));
  try {
    await act(warned);
  } finally {
    process.removeAllListeners('warning');
    for (const listener of printing) process.on('warning', listener);
  }
}

/** The text of every file of a reading. */
export function texts(reading: Reading | undefined): Readonly<Record<string, string>> {
  if (reading === undefined) throw new Error('there is no reading');
  return Object.fromEntries(reading.names.map((name) => [name, reading.text(name)]));
}

function succeeds(command: string, ...args: string[]): boolean {
  return spawnSync(command, args).status === 0;
}
