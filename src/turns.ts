/** Breaks up long work, so that requests are answered in between. */

import { setImmediate } from 'node:timers/promises';

/**
 * @param turnMs milliseconds of work at a time
 * @returns a function to await before each step of the work. The first step starts a new turn
 */
export function yieldTurns(turnMs = 0.25): () => Promise<void> {
  let begun = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() - begun < turnMs) return;
    await setImmediate();
    begun = performance.now();
  };
}
