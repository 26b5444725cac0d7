/** What commands read: files, and standard input for `-`. */

import { fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { CommandFailure } from './failure.ts';

/** @throws {CommandFailure} when the file cannot be read */
export function readInput(file: string): Buffer {
  return orUnreadable(file, () => readFileSync(file === '-' ? 0 : file));
}

/**
 * Like `readInput`, for what comes from outside.
 * @param advice what to do about a longer one
 * @throws {CommandFailure} also when it is longer than `mostBytes`
 */
export function readShortInput(
  file: string,
  mostBytes: number,
  advice = 'check that it is the right file',
): Buffer<ArrayBuffer> {
  if (file === '-' && process.stdin.isTTY) process.stderr.write('paste it, then press Ctrl-D\n');
  const descriptor = file === '-' ? 0 : openFile(file);
  const parts: Buffer[] = [];
  let length = 0;
  orUnreadable(file, () => {
    for (let read = -1; read !== 0 && length <= mostBytes; length += read) {
      const part = Buffer.allocUnsafe(64 * 1024);
      read = readSync(descriptor, part);
      parts.push(part.subarray(0, read));
    }
  });
  if (length <= mostBytes) return Buffer.concat(parts);
  throw new CommandFailure(`${nameOf(file)} is longer than ${mostBytes} bytes; ${advice}`);
}

/** How messages name a file that was given to a command. */
export function nameOf(file: string): string {
  return file === '-' ? 'standard input' : file;
}

/** Streams the content, which may be of any length. @throws {CommandFailure} when the file cannot be read */
export function streamInput(file: string): ReadableStream<Uint8Array> {
  if (file === '-') {
    if (process.stdin.isTTY) process.stderr.write('type the message, then press Ctrl-D\n');
    return Bun.stdin.stream();
  }
  // Opened here, because the stream would report a missing file only after the request has begun.
  return Bun.file(openFile(file)).stream();
}

function openFile(file: string): number {
  const descriptor = orUnreadable(file, () => openSync(file, 'r'));
  if (fstatSync(descriptor).isDirectory()) {
    throw new CommandFailure(`${file} is a directory; give a file, or - for standard input`);
  }
  return descriptor;
}

function orUnreadable<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch {
    throw new CommandFailure(`${nameOf(file)} cannot be read; check the path and its permissions`);
  }
}
