/** Breaks up long work, so that the host program answers requests in between. */

import { setImmediate } from 'node:timers/promises';

/** Milliseconds of work at a time. */
const turnMs = 0.25;

/** @returns what to await before each step of the work; the first step is in a turn of its own */
export function createPace(): () => Promise<void> {
  let begun = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() - begun < turnMs) return;
    await setImmediate();
    begun = performance.now();
  };
}
