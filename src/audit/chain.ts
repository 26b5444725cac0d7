/**
 * The chain of the lines: each line has the hash of the line before it, so that a line that was changed, removed or put in
 * breaks it. The hash has no key, so whoever can write the whole file can write another chain.
 */

import { hexDigest } from '../bytes/digest.ts';
import { beginning } from './line.ts';

/** The end of a chain. */
export interface Head {
  /** The number of the last line; 0 before the first. */
  readonly seq: number;
  /** SHA-256, in hex, of the last line without its line feed. */
  readonly hash: string;
}

export const origin: Head = { seq: 0, hash: '0'.repeat(64) };

export function hashOf(line: string | Uint8Array): string {
  return hexDigest('sha256', line);
}

/** What a line says about its place; undefined if it is no line of an audit. */
export interface Place {
  readonly time: string;
  readonly seq: number;
  readonly prev: string;
}

/** @param line without its line feed */
export function placeOf(line: string): Place | undefined {
  if (!isOfAudit(line)) return undefined;
  try {
    const { time, seq, prev } = JSON.parse(line);
    const isPlace =
      typeof time === 'string' &&
      Number.isSafeInteger(seq) &&
      seq > 0 &&
      typeof prev === 'string' &&
      /^[0-9a-f]{64}$/.test(prev);
    return isPlace ? { time, seq, prev } : undefined;
  } catch {
    return undefined;
  }
}

export function isOfAudit(line: string): boolean {
  return line.startsWith(beginning);
}

/** Whether a line is the first of a chain. */
export function isFirst({ seq, prev }: Place): boolean {
  return seq === 1 && prev === origin.hash;
}

/** Whether a line is the next one after the head. */
export function follows(head: Head, { seq, prev }: Place): boolean {
  return seq === head.seq + 1 && prev === head.hash;
}
