/** What commands read: files, and standard input for `-`. */

import { fstatSync, openSync, readFileSync } from 'node:fs';
import { CommandFailure } from './failure.ts';

/** @throws {CommandFailure} when the file cannot be read */
export function readInput(file: string): Buffer {
  return orUnreadable(file, () => readFileSync(file === '-' ? 0 : file));
}

/**
 * Streams the content, which may be of any length.
 * @param what to ask for on a terminal
 * @throws {CommandFailure} when the file cannot be read
 */
export function streamInput(file: string, what = 'message'): ReadableStream<Uint8Array> {
  if (file === '-') {
    if (process.stdin.isTTY) process.stderr.write(`type the ${what}, then press Ctrl-D\n`);
    return Bun.stdin.stream();
  }
  // Opened here, because the stream would report a missing file only after the request has begun.
  const descriptor = orUnreadable(file, () => openSync(file, 'r'));
  if (fstatSync(descriptor).isDirectory()) {
    throw new CommandFailure(`${file} is a directory; give a file, or - for standard input`);
  }
  return Bun.file(descriptor).stream();
}

function orUnreadable<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch {
    throw new CommandFailure(`${file} cannot be read; check the path and its permissions`);
  }
}
