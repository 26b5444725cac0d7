/** Lines that are put together for one write. A block is valid until the next one is assembled. */

import { type Head, hashOf } from './chain.ts';
import { type Draft, finish } from './line.ts';

export interface Block {
  readonly bytes: Uint8Array;
  /** Where the first line begins. Before it stands the rest of an earlier line. */
  readonly start: number;
  /** For each line: where it ends, and the head after it. */
  readonly ends: readonly (readonly [end: number, head: Head])[];
}

/**
 * @param rest of a line of which a part is written already
 * @param instance already quoted
 */
export function assemble(rest: Uint8Array, drafts: readonly Draft[], instance: string, head: Head): Block {
  let { seq, hash } = head;
  const bytes = room(drafts.reduce(lengthWith(instance), rest.length));
  bytes.set(rest);
  let end = rest.length;
  const ends: (readonly [number, Head])[] = [];
  for (const each of drafts) {
    seq += 1;
    // The lines are ASCII, so each character is one byte.
    const length = bytes.write(finish(each, instance, seq, hash), end, 'latin1');
    hash = hashOf(bytes.subarray(end, end + length));
    end += length;
    bytes[end] = lineFeed;
    end += 1;
    ends.push([end, { seq, hash }]);
  }
  return { bytes: bytes.subarray(0, end), start: rest.length, ends };
}

const usualLength = 64 * 1024;
let usual: Buffer | undefined;

/** Most blocks use the same memory, one after the other. */
function room(length: number): Buffer {
  if (length > usualLength) return Buffer.allocUnsafe(length);
  usual ??= Buffer.allocUnsafeSlow(usualLength);
  return usual;
}

const lineFeed = 0x0a;
/** More than the names of members, the time, the number and the hash in a line take. */
const frameLength = 256;

function lengthWith(instance: string): (sum: number, each: Draft) => number {
  return (sum, { members }) => sum + members.length + instance.length + frameLength;
}

/** Where the chain stands when only a part of a block is written. */
export interface Cut {
  /** How many lines have begun. Those after them are lost, and the chain goes on without them. */
  readonly begun: number;
  /** The head after the last of them; undefined if there is none. */
  readonly head: Head | undefined;
  /** What is to be written first, to complete it. */
  readonly rest: Uint8Array;
}

export function cutAt({ bytes, start, ends }: Block, written: number): Cut {
  let end = start;
  let begun = 0;
  while (begun < ends.length && written > end) {
    end = ends[begun]?.[0] ?? end;
    begun += 1;
  }
  // A copy, so that the block itself is not kept.
  return { begun, head: ends[begun - 1]?.[1], rest: bytes.slice(written, Math.max(written, end)) };
}
