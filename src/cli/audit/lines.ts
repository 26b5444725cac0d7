/** Reads the lines of files of any length, one after the other, in constant memory. */

import { closeSync, openSync, readSync } from 'node:fs';
import { systemCode } from '../../secret-volume/index.ts';
import { CommandFailure } from '../failure.ts';
import { maxLineBytes } from './end.ts';

export interface FileLine {
  readonly number: number;
  /** Valid until the next line is read. Of a line that is too long, only the beginning. */
  readonly bytes: Buffer;
  /** Whether it is longer than any line of an audit. */
  readonly isTooLong: boolean;
  /** Whether a line feed ends it. Only the last line of a file may have none. */
  readonly isWhole: boolean;
}

const chunkBytes = 256 * 1024;
const lineFeed = 0x0a;
/** What is kept of a line that is too long: enough to see whether it looks like one of an audit. */
const keptBytes = 64;

/** @param file `-` for standard input. @throws {CommandFailure} if it cannot be read */
export function* linesOf(file: string): Generator<FileLine, void, void> {
  const descriptor = file === '-' ? 0 : readable(file, () => openSync(file, 'r'));
  try {
    yield* split(file, descriptor);
  } finally {
    if (descriptor !== 0) closeSync(descriptor);
  }
}

function* split(file: string, descriptor: number): Generator<FileLine, void, void> {
  const buffer = Buffer.alloc(chunkBytes);
  let number = 0;
  /** How much of the buffer is filled. It begins with a line, or with the rest of one that is too long. */
  let filled = 0;
  /** Of the line that is being read, if it is too long. */
  let beginning: Buffer | undefined;
  for (;;) {
    const count = readable(file, () => readSync(descriptor, buffer, filled, chunkBytes - filled, null));
    if (count === 0) break;
    filled += count;
    let start = 0;
    for (;;) {
      const end = buffer.subarray(0, filled).indexOf(lineFeed, start);
      if (end < 0) break;
      number += 1;
      const isTooLong = beginning !== undefined || end - start > maxLineBytes;
      yield { number, bytes: beginning ?? buffer.subarray(start, end), isTooLong, isWhole: true };
      beginning = undefined;
      start = end + 1;
    }
    buffer.copyWithin(0, start, filled);
    filled -= start;
    if (filled > maxLineBytes) {
      beginning ??= Buffer.from(buffer.subarray(0, keptBytes));
      filled = 0;
    }
  }
  if (filled > 0 || beginning !== undefined) {
    const isTooLong = beginning !== undefined;
    yield { number: number + 1, bytes: beginning ?? buffer.subarray(0, filled), isTooLong, isWhole: false };
  }
}

function readable<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const code = systemCode(error) ?? 'unknown error';
    throw new CommandFailure(
      code === 'EISDIR'
        ? `${file} is a directory; give files, in the order in which they were written`
        : `${file} cannot be read (${code}); check the path and its permissions`,
    );
  }
}
