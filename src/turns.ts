/** Breaks up long work, so that the host program answers requests in between. */

import { setImmediate } from 'node:timers/promises';

/**
 * @param turnMs milliseconds of work at a time
 * @returns what to await before each step of the work; the first step is in a turn of its own
 */
export function yieldTurns(turnMs = 0.25): () => Promise<void> {
  let begun = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() - begun < turnMs) return;
    await setImmediate();
    begun = performance.now();
  };
}
