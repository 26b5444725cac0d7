/** Reads the end of an audit file, however long the file is: there its chain goes on. */

import { fstatSync, readSync } from 'node:fs';
import { type Head, hashOf, origin, placeOf } from '../../audit/chain.ts';
import { beginning } from '../../audit/line.ts';

/** Several times the longest line. */
export const maxLineBytes = 64 * 1024;

const lineFeed = 0x0a;

export interface End {
  readonly head: Head;
  /** Where the last whole line ends. */
  readonly length: number;
  /** How many bytes of a line that was cut off stand behind it. */
  readonly cutBytes: number;
}

/** @returns undefined if the file does not end as an audit does */
export function readEnd(descriptor: number): End | undefined {
  const { size } = fstatSync(descriptor);
  const window = Buffer.alloc(Math.min(size, 2 * maxLineBytes));
  const start = size - window.length;
  for (let read = 0; read < window.length; ) {
    const count = readSync(descriptor, window, read, window.length - read, start + read);
    if (count === 0) return undefined;
    read += count;
  }
  // Behind the last line feed stands a line that was cut off, or nothing.
  const whole = window.lastIndexOf(lineFeed) + 1;
  const cut = window.toString('latin1', whole);
  if (!cut.startsWith(beginning) && !beginning.startsWith(cut)) return undefined;
  const end = { length: start + whole, cutBytes: cut.length };
  if (whole === 0) return start === 0 ? { ...end, head: origin } : undefined;
  const from = window.lastIndexOf(lineFeed, whole - 2) + 1;
  if (from === 0 && start > 0) return undefined;
  const line = window.toString('latin1', from, whole - 1);
  const place = placeOf(line);
  return place && { ...end, head: { seq: place.seq, hash: hashOf(window.subarray(from, whole - 1)) } };
}
