/** What commands read: files, and standard input for `-`. */

import { fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { CommandFailure } from './failure.ts';

/** @throws {CommandFailure} when the file cannot be read */
export function readInput(file: string): Buffer {
  return orUnreadable(file, () => readFileSync(file === '-' ? 0 : file));
}

/** Like `readInput`, for what comes from outside. @throws {CommandFailure} also when it is longer than `mostBytes` */
export function readShortInput(file: string, mostBytes: number): Buffer {
  if (file === '-' && process.stdin.isTTY) process.stderr.write('paste the request, then press Ctrl-D\n');
  const parts: Buffer[] = [];
  let length = 0;
  orUnreadable(file, () => {
    const descriptor = file === '-' ? 0 : openSync(file, 'r');
    for (let read = -1; read !== 0 && length <= mostBytes; length += read) {
      const part = Buffer.allocUnsafe(64 * 1024);
      read = readSync(descriptor, part);
      parts.push(part.subarray(0, read));
    }
  });
  if (length <= mostBytes) return Buffer.concat(parts);
  throw new CommandFailure(`${file} is longer than ${mostBytes} bytes; check that it is the right file`);
}

/** Streams the content, which may be of any length. @throws {CommandFailure} when the file cannot be read */
export function streamInput(file: string): ReadableStream<Uint8Array> {
  if (file === '-') {
    if (process.stdin.isTTY) process.stderr.write('type the message, then press Ctrl-D\n');
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
