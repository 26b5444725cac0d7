/**
 * Limits how many lines refusals may cause. Otherwise a caller could fill the disk with requests that are all refused, and
 * so stop the others.
 */

import type { Outcome } from '../signer.ts';
import type { AuditEvent } from './line.ts';

/** For each caller and each outcome. Enough to see what somebody tries. Each more is some 30 MB a day. */
const linesPerSecond = 10;
const secondMs = 1000;

interface Window {
  readonly caller: string;
  readonly outcome: Outcome;
  beganMs: number;
  lines: number;
  /** How many refusals have had no line of their own. */
  more: number;
}

export interface Refusals {
  /** Whether an event has a line of its own. Otherwise it is counted. */
  admits(event: AuditEvent): boolean;
  /** The lines that count the others, of each second that is over; with `all`, also of the current one. */
  counts(all?: boolean): readonly AuditEvent[];
  /** Whether something has been counted that `counts` has not told yet. */
  readonly isCounting: boolean;
}

export function createRefusals(monotonicMs: () => number): Refusals {
  // As many as there are callers and codes.
  const windows = new Map<string, Window>();
  return {
    admits: ({ caller = '', outcome }) => {
      if (outcome === 'ok' || outcome === 'invalid') return true;
      const now = monotonicMs();
      const name = `${caller} ${outcome}`;
      let window = windows.get(name);
      if (window === undefined) {
        window = { caller, outcome, beganMs: now, lines: 0, more: 0 };
        windows.set(name, window);
      }
      // What was counted is told first, by `counts`.
      if (window.more === 0 && now - window.beganMs >= secondMs)
        Object.assign(window, { beganMs: now, lines: 0 });
      if (window.lines < linesPerSecond) {
        window.lines += 1;
        return true;
      }
      window.more += 1;
      return false;
    },
    counts: (all = false) => {
      const now = monotonicMs();
      const over = [...windows.values()].filter(
        ({ more, beganMs }) => more > 0 && (all || now - beganMs >= secondMs),
      );
      return over.map((window) => {
        const { caller, outcome, more: count } = window;
        Object.assign(window, { beganMs: now, lines: 0, more: 0 });
        return { caller, outcome, count };
      });
    },
    get isCounting() {
      return [...windows.values()].some(({ more }) => more > 0);
    },
  };
}
