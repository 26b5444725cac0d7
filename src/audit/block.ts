/** Lines that are put together for one write. */

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
  let text = '';
  const ends: (readonly [number, Head])[] = [];
  for (const each of drafts) {
    seq += 1;
    const line = finish(each, instance, seq, hash);
    hash = hashOf(line);
    text += `${line}\n`;
    ends.push([rest.length + text.length, { seq, hash }]);
  }
  // The lines are ASCII, so each character is one byte.
  const lines = Buffer.from(text, 'latin1');
  return { bytes: rest.length === 0 ? lines : Buffer.concat([rest, lines]), start: rest.length, ends };
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
