/** The ways to write a time in a header or in a body. */

import type { TimeUnit } from '../../api/webhook-scheme.ts';
import { bytes, choice, fixed, type Language, optional, repeated, sequence } from './language.ts';

interface TimeNotation {
  /** What verification accepts. */
  readonly language: Language;
  write(ms: number): string;
  /** @returns milliseconds since the epoch; NaN for a date that does not exist */
  read(text: string): number;
  /** How exact a time is. Ages are compared in this unit, so that a clock which shows the same is no difference. */
  readonly stepMs: number;
  /** For messages. */
  readonly name: string;
}

const digit = bytes('09');
const digits = (count: number) => repeated(digit, count);
const number = (most: number) => sequence(bytes('19'), repeated(digit, 0, most - 1));

/** RFC 3339 §5.6, in upper case. */
const rfc3339 = sequence(
  digits(4),
  fixed('-'),
  digits(2),
  fixed('-'),
  digits(2),
  fixed('T'),
  digits(2),
  fixed(':'),
  digits(2),
  fixed(':'),
  digits(2),
  optional(sequence(fixed('.'), repeated(digit, 1, 9))),
  choice(fixed('Z'), sequence(bytes('++--'), digits(2), fixed(':'), digits(2))),
);

function readRfc3339(text: string): number {
  // The runtimes take 30 February for the second of March, and hour 24 for the next day.
  const date = new Date(`${text.slice(0, 10)}T00:00:00Z`);
  const exists = !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text.slice(0, 10));
  if (!exists || text.slice(11, 13) === '24') return Number.NaN;
  // The runtimes read three digits of a fraction.
  return Date.parse(text.replace(/(\.\d{3})\d+/, '$1'));
}

export const notations: Readonly<Record<TimeUnit, TimeNotation>> = {
  seconds: {
    language: number(12),
    write: (ms) => `${Math.floor(ms / 1000)}`,
    read: (text) => Number(text) * 1000,
    stepMs: 1000,
    name: 'Unix seconds',
  },
  milliseconds: {
    language: number(15),
    write: (ms) => `${Math.floor(ms)}`,
    read: Number,
    stepMs: 1,
    name: 'milliseconds since 1970',
  },
  rfc3339: {
    language: rfc3339,
    write: (ms) => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z'),
    read: readRfc3339,
    stepMs: 1000,
    name: 'an RFC 3339 time such as 2027-01-15T08:00:00Z',
  },
};
