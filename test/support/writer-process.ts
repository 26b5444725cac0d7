/** The kubelet's part in the scenarios, in a process of its own: whole updates, and updates that stop at a step. */

import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { type Payload, type Step, type UpdateOptions, update } from './atomic-writer.ts';
import { type Remote, serveRemote, startRemote } from './remote.ts';

/** An update that is under way, one for each directory. */
const started = new Map<string, Generator<Step, void, void>>();

const functions = {
  /** A whole update. */
  write(directory: string, payload: Payload, options?: UpdateOptions): void {
    for (const _ of update(directory, payload, options));
  },

  /** Begins an update, and stops when a step has been done for the nth time. */
  begin(directory: string, payload: Payload, until: Step, options?: UpdateOptions): void {
    started.set(directory, update(directory, payload, options));
    functions.proceed(directory, until);
  },

  /** Goes on with the update that was begun. */
  proceed(directory: string, until: Step, times = 1): void {
    for (let done = 0; done < times; ) {
      const { value } = started.get(directory)?.next() ?? {};
      if (value === undefined) throw new Error(`the update ended before "${until}"`);
      if (value === until) done++;
    }
  },

  finish(directory: string): void {
    for (const _ of started.get(directory) ?? []);
  },

  /** Updates in which every file holds the update's number, from `first` on, each after a random pause. */
  storm(directory: string, names: readonly string[], first: number, count: number, maxPauseMs: number): void {
    for (let number = first; number < first + count; number++) {
      sleep(Math.random() * maxPauseMs);
      functions.write(directory, Object.fromEntries(names.map((name) => [name, String(number)])));
    }
  },

  /** An update of so many files of random bytes. */
  writeLarge(directory: string, count: number, size: number): void {
    const files = Array.from({ length: count }, (_, index) => [`key-${index}`, randomBytes(size)]);
    functions.write(directory, Object.fromEntries(files));
  },

  /** Creates and deletes a file so many times. */
  churn(directory: string, count: number): void {
    for (let done = 0; done < count; done++) {
      fs.writeFileSync(join(directory, 'noise'), '');
      fs.unlinkSync(join(directory, 'noise'));
    }
  },

  /** So many empty files. */
  fill(directory: string, count: number): void {
    for (let made = 0; made < count; made++) fs.closeSync(fs.openSync(join(directory, `file-${made}`), 'w'));
  },

  /**
   * Calls of node:fs one after the other, each after a pause.
   * @returns the longest time in milliseconds from the beginning of one of them to the end of the next
   */
  sequence(
    pauseMs: number,
    calls: readonly (readonly [name: keyof typeof fs, ...args: unknown[]])[],
  ): number {
    let longestMs = 0;
    let last: number | undefined;
    for (const [name, ...args] of calls) {
      if (last !== undefined) sleep(pauseMs);
      const begun = performance.now();
      functions.fs(name, ...args);
      longestMs = Math.max(longestMs, performance.now() - (last ?? begun));
      last = begun;
    }
    return longestMs;
  },

  /** Any function of node:fs. */
  fs(name: keyof typeof fs, ...args: unknown[]): void {
    (fs[name] as (...args: unknown[]) => unknown)(...args);
  },
};

export type Writer = Remote<typeof functions>;

export function startWriter(): Writer {
  return startRemote<typeof functions>(import.meta.filename);
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

if (process.argv[1] === import.meta.filename) await serveRemote(functions);
