/** Where the lines of the audit go: a file, which is opened anew when it was renamed, a device, a pipe, standard output. */

import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import type { Head } from '../../audit/chain.ts';
import { origin } from '../../audit/chain.ts';
import type { Sink } from '../../audit/journal.ts';
import { CommandFailure } from '../failure.ts';
import { type Opened, openTarget } from './open.ts';
import { appendWhole, write, writeLines } from './write.ts';

export interface Target extends Sink {
  /** Where the chain goes on. */
  readonly head: Head;
  readonly removedBytes: number;
  /** Opens the path anew with the next line. */
  reopen(): void;
}

export interface SinkOptions {
  /** `-` for standard output. */
  readonly path: string;
  readonly keyDirectories: readonly string[];
  readonly monotonicMs: () => number;
  /** The end of the chain when the path is opened anew. */
  readonly currentHead: () => Head;
  readonly onReopened: () => void;
  /** Called if the path cannot be opened anew. The lines go on to the old file. */
  readonly onNotReopened: (problem: string) => void;
}

/** How often to look whether another file is at the path. */
const lookEveryMs = 1000;
const standardOutput = 1;

/** @throws {CommandFailure} with what to do */
export function openSink(options: SinkOptions): Target {
  if (options.path === '-') return standardOutputSink();
  const first = openTarget(options.path, options.keyDirectories);
  const { head, removedBytes } = first;
  if (first.kind === 'file') return { ...fileSink(first, options), head, removedBytes };
  const { descriptor, kind } = first;
  return {
    append: (bytes) => (kind === 'pipe' ? writeLines : write)(descriptor, bytes),
    isDrained: kind === 'pipe',
    head,
    removedBytes,
    reopen: () => undefined,
  };
}

function fileSink(first: Opened, options: SinkOptions): Pick<Target, 'append' | 'isDrained' | 'reopen'> {
  const { path, keyDirectories, monotonicMs, currentHead, onReopened, onNotReopened } = options;
  let current = first;
  let lookedAtMs = monotonicMs();

  const isMoved = (): boolean => {
    try {
      const found = statSync(path, { throwIfNoEntry: false });
      return found?.ino !== current.stats.ino || found?.dev !== current.stats.dev;
    } catch {
      return true;
    }
  };
  const openAnew = (): void => {
    try {
      const next = openTarget(path, keyDirectories);
      // An empty file, or a copy of this one.
      const isNext = next.kind === 'file' && (next.head.seq === 0 || next.head.hash === currentHead().hash);
      if (!isNext) {
        closeSync(next.descriptor);
        onNotReopened(
          next.kind === 'file'
            ? 'another audit is at the path; move it away'
            : 'what is at the path is not a file any more; remove it',
        );
        return;
      }
      closeSync(current.descriptor);
      current = next;
      onReopened();
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error;
      onNotReopened(error.message);
    }
  };

  return {
    isDrained: false,
    append: (bytes) => {
      const now = monotonicMs();
      if (now - lookedAtMs >= lookEveryMs) {
        lookedAtMs = now;
        if (isMoved()) openAnew();
      }
      return appendWhole(current.descriptor, bytes);
    },
    reopen: () => {
      lookedAtMs = Number.NEGATIVE_INFINITY;
    },
  };
}

function standardOutputSink(): Target {
  const isPipe = fstatSync(standardOutput).isFIFO();
  const descriptor = isPipe ? withoutBlocking(standardOutput) : standardOutput;
  return {
    append: (bytes) => (isPipe ? writeLines : write)(descriptor, bytes),
    isDrained: true,
    head: origin,
    removedBytes: 0,
    reopen: () => undefined,
  };
}

/** The same pipe, opened once more: to change how it blocks would change it for every process that has it. */
function withoutBlocking(descriptor: number): number {
  try {
    return openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return descriptor;
  }
}
