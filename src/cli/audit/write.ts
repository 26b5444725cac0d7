/** Writes bytes to a descriptor, as far as it takes them. */

import { fstatSync, ftruncateSync, writeSync } from 'node:fs';
import type { Appended } from '../../audit/journal.ts';
import { systemCode } from '../../secret-volume/index.ts';

/** A pipe takes so many bytes as a whole or not at all (POSIX: PIPE_BUF, 4096 on Linux). */
const atomicBytes = 4096;
const lineFeed = 0x0a;

const problems: Readonly<Record<string, string>> = {
  ENOSPC: 'there is no room left (ENOSPC)',
  EDQUOT: 'the quota is used up (EDQUOT)',
  EFBIG: 'the file has reached its largest size (EFBIG)',
  EAGAIN: 'its reader does not take the lines away (EAGAIN)',
  EPIPE: 'nobody reads it (EPIPE)',
};

/** Appends everything to a regular file, or nothing. */
export function appendWhole(descriptor: number, bytes: Uint8Array): Appended {
  const appended = write(descriptor, bytes);
  if (appended.problem === undefined || appended.written === 0) return appended;
  try {
    // Only this process writes to the file, so that what stands at its end is a part of these bytes.
    ftruncateSync(descriptor, fstatSync(descriptor).size - appended.written);
    return { ...appended, written: 0 };
  } catch {
    return appended;
  }
}

/** Writes whole lines to a pipe, so that those of other writers cannot get between their parts. */
export function writeLines(descriptor: number, bytes: Uint8Array): Appended {
  let written = 0;
  while (written < bytes.length) {
    const limit = bytes.lastIndexOf(lineFeed, written + atomicBytes - 1);
    const end = limit >= written ? limit : bytes.indexOf(lineFeed, written);
    const part = bytes.subarray(written, end < 0 ? bytes.length : end + 1);
    const { written: more, problem } = write(descriptor, part);
    written += more;
    if (problem !== undefined) return { written, problem };
  }
  return { written };
}

export function write(descriptor: number, bytes: Uint8Array): Appended {
  let written = 0;
  try {
    while (written < bytes.length) {
      const count = writeSync(descriptor, bytes, written, bytes.length - written);
      if (count === 0) return { written, problem: 'it takes no more bytes' };
      written += count;
    }
    return { written };
  } catch (error) {
    const code = systemCode(error) ?? 'unknown error';
    return { written, problem: problems[code] ?? `it cannot be written (${code})` };
  }
}
