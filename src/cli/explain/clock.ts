/** What is wrong with the time of a message: too old, from the future, or written in another unit. */

import type { TimeUnit } from '../../api/webhook-scheme.ts';
import { matcherOf } from '../../formats/webhook/language.ts';
import type { Values } from '../../formats/webhook/request.ts';
import type { Scheme } from '../../formats/webhook/scheme.ts';
import { bodyTime, checkTime } from '../../formats/webhook/time.ts';
import { notations } from '../../formats/webhook/timestamp.ts';

export interface ClockProblem {
  /** For machines. */
  readonly code: string;
  /** Whole sentences: what is wrong, and what to do. */
  readonly text: string;
}

/** Undefined if the scheme has no time, or the time is right. */
export function clockProblem(
  { time }: Scheme,
  values: Values,
  body: Uint8Array,
  nowMs: number,
): ClockProblem | undefined {
  if (time === undefined) return undefined;
  const written = time.pointer === undefined ? values['timestamp'] : bodyTime(time, body);
  const place =
    time.pointer === undefined ? 'The time in the header' : `The time in the body, at ${time.pointer},`;
  if (written === undefined) {
    const text = `${place} is missing, or it is not ${notations[time.unit].name}.`;
    return { code: 'time-missing', text };
  }
  const isRight = matcherOf(notations[time.unit].language).test(written);
  const problem = isRight ? checkTime(time, written, nowMs) : 'malformed';
  if (problem === undefined) return undefined;
  const other = otherUnit(written, time.unit, nowMs);
  if (other !== undefined) {
    const wanted = notations[time.unit].name;
    return {
      code: 'time-unit',
      text: `${place} is ${notations[other].name}, and this key set reads it as ${wanted}. In the format webhook, set "timestamp: ${other}"; otherwise choose the format of the sender.`,
    };
  }
  const timeMs = notations[time.unit].read(written);
  if (!isRight || Number.isNaN(timeMs)) {
    return { code: 'time-malformed', text: `${place} is not ${notations[time.unit].name}.` };
  }
  const { toleranceSeconds, futureToleranceSeconds } = time.tolerance;
  const difference = Math.round(Math.abs(nowMs - timeMs) / 1000);
  const [side, tolerance, field] =
    problem === 'expired'
      ? ['before', toleranceSeconds, 'toleranceSeconds']
      : ['after', futureToleranceSeconds, 'futureToleranceSeconds'];
  const over = difference - Number(tolerance);
  return {
    code: problem === 'expired' ? 'time-expired' : 'time-future',
    text: `${place} is ${duration(difference)} ${side} ${isoTime(nowMs)}, by which it is judged; the tolerance is ${duration(Number(tolerance))} (${field}), so it is outside by ${duration(over)}. If this is a request that you saved, judge it as of its arrival with --at; if it has just arrived, compare the clocks of both machines.`,
  };
}

/** The unit in which the text is a time of these years, if it is not the one that is expected. */
function otherUnit(text: string, unit: TimeUnit, nowMs: number): TimeUnit | undefined {
  const years = 30 * 365 * 86_400_000;
  const isNear = (each: TimeUnit) => {
    const timeMs = matcherOf(notations[each].language).test(text) ? notations[each].read(text) : Number.NaN;
    return Math.abs(timeMs - nowMs) < years;
  };
  if (isNear(unit)) return undefined;
  return (Object.keys(notations) as TimeUnit[]).find((each) => each !== unit && isNear(each));
}

/** The same moment in the other units, for senders that sign another text than they send. */
export function otherTimes(text: string, unit: TimeUnit): readonly string[] {
  const units = Object.keys(notations) as TimeUnit[];
  const read = units.find((each) => matcherOf(notations[each].language).test(text)) ?? unit;
  // Seconds are milliseconds as well, by their digits.
  const from = /^\d{13,}$/.test(text) ? 'milliseconds' : read;
  const timeMs = notations[from].read(text);
  if (Number.isNaN(timeMs) || Math.abs(timeMs) > 8e15) return [];
  return units.map((each) => notations[each].write(timeMs)).filter((each) => each !== text);
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

function duration(seconds: number): string {
  const units = [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
  ] as const;
  const [name, size] = units.find(([, each]) => seconds >= 2 * each) ?? ['second', 1];
  const count = Math.floor(seconds / size);
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}
