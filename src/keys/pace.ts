/** Breaks up long work, so that requests are answered in between. */

import { setImmediate } from 'node:timers/promises';

/** Milliseconds of work at a time: a request that comes meanwhile waits no longer. */
const turnMs = 2;

/** @returns what to await between two steps of the work */
export function createPace(): () => Promise<void> {
  let begun = performance.now();
  return async () => {
    if (performance.now() - begun < turnMs) return;
    await setImmediate();
    begun = performance.now();
  };
}
