/** A program that holds a secret volume, for what needs a process of its own: limits, mounts, users, an end. */

import { execFileSync } from 'node:child_process';
import { existsSync, watch, writeFileSync } from 'node:fs';
import {
  type Change,
  openVolume,
  type Volume,
  type VolumeError,
  type VolumeHealth,
  type VolumeOptions,
  type VolumeWarning,
} from '../../src/secret-volume/index.ts';
import { type Remote, type RemoteOptions, serveRemote, startRemote } from './remote.ts';
import { resources } from './resources.ts';

export interface ReaderState {
  /** File name to text of the current reading. */
  readonly files: Readonly<Record<string, string>> | undefined;
  readonly health: Omit<VolumeHealth, 'problem' | 'lastSuccess' | 'lastAttempt'>;
  /** When the directory was last looked at, in milliseconds since the epoch. */
  readonly lookedAt: number | undefined;
  /** Codes and messages, the present problem's last. */
  readonly problems: readonly string[];
  readonly warnings: readonly VolumeWarning[];
  /** What it was told of its watcher. */
  readonly watcherStates: readonly string[];
  readonly changes: readonly Change[];
  readonly noises: number;
  readonly faults: readonly string[];
}

type ReaderOptions = Pick<VolumeOptions, 'required' | 'optional' | 'limits' | 'pollIntervalMs'> & {
  readonly watch?: false;
};

let volume: Volume<Readonly<Record<string, string>>> | undefined;
let changes: Change[] = [];
let problems: string[] = [];
let warnings: VolumeWarning[] = [];
let watcherStates: string[] = [];
const faults: string[] = [];
let noises = 0;

const functions = {
  open(directory: string, options: ReaderOptions = {}): void {
    changes = [];
    problems = [];
    warnings = [];
    watcherStates = [];
    volume = openVolume(directory, {
      ...options,
      parse: (reading) => Object.fromEntries(reading.names.map((name) => [name, reading.text(name)])),
    });
    volume.onChange((change) => changes.push(change));
    volume.onProblem((error: VolumeError) => {
      problems.push(...error.problems.map(({ code, message }) => `${code}: ${message}`));
    });
    volume.onWarning((warning) => warnings.push(warning));
    volume.onWatcher((state) => watcherStates.push(state));
  },

  state(): ReaderState {
    if (volume === undefined) throw new Error('no volume is open');
    const { problem, lastSuccess: _, lastAttempt, ...health } = volume.health;
    const now = problem?.problems.map(({ code, message }) => `${code}: ${message}`) ?? [];
    const past = problems.filter((each) => !now.includes(each));
    return {
      files: volume.current,
      health,
      lookedAt: lastAttempt?.getTime(),
      problems: [...past, ...now],
      warnings,
      watcherStates,
      changes,
      noises,
      faults,
    };
  },

  healthy(): boolean {
    return volume !== undefined && volume.current !== undefined && volume.health.problem === undefined;
  },

  refresh(): void {
    volume?.refresh();
  },

  /** Reads all the time, not only when something changed. */
  hammer(): void {
    volume?.refresh();
    setImmediate(functions.hammer);
  },

  async close(): Promise<void> {
    await volume?.close();
  },

  /** Opens and closes so many volumes, one after the other, each until it is ready and watched. */
  async cycle(directory: string, count: number): Promise<void> {
    for (let done = 0; done < count; done++) {
      const each = openVolume(directory);
      await each.ready();
      while (each.health.watcher !== 'up') await new Promise((resolve) => setTimeout(resolve, 1));
      await each.close();
    }
  },

  resources,

  /** Runs a command where this process lives: its mounts, its user. */
  exec(command: string, ...args: string[]): void {
    execFileSync(command, args);
  },

  write(path: string, text: string): void {
    writeFileSync(path, text);
  },

  /** Watches another directory, as the host program may. */
  listen(directory: string): void {
    watch(directory, () => {
      noises++;
    });
  },

  /** Blocks the event loop, after the answer, until `end` is there. Makes the file `begin` when it does. */
  blockBetween(begin: string, end: string): void {
    setTimeout(() => {
      writeFileSync(begin, '');
      const cell = new Int32Array(new SharedArrayBuffer(4));
      while (!existsSync(end)) Atomics.wait(cell, 0, 0, 20);
    }, 50);
  },
};

export type Reader = Remote<typeof functions>;

export function startReader(options?: RemoteOptions): Reader {
  return startRemote<typeof functions>(import.meta.filename, options);
}

if (process.argv[1] === import.meta.filename) {
  process.on('unhandledRejection', (error) => faults.push(String(error)));
  process.on('uncaughtException', (error) => faults.push(String(error)));
  await serveRemote(functions);
}
