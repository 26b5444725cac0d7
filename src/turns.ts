/** Interrupts long work, so that the program can answer requests in between. */

import { setImmediate } from 'node:timers/promises';

/**
 * @param turnMs how many milliseconds of work to do without an interruption
 * @returns a function to await before each step of the work. It yields at the first call, and then every `turnMs`. In
 * between it returns undefined, so that many short steps need not be awaited. Its argument is the time, if it is known
 */
export function yieldTurns(turnMs = 0.25): (now?: number) => Promise<void> | undefined {
  let begun = Number.NEGATIVE_INFINITY;
  const nextTurn = async () => {
    await setImmediate();
    begun = performance.now();
  };
  return (now = performance.now()) => (now - begun < turnMs ? undefined : nextTurn());
}

/** Does work that yields between its steps. Requests are answered in between. */
export async function inTurns<T>(work: Generator<void, T>): Promise<T> {
  const pause = yieldTurns();
  for (;;) {
    await pause();
    const step = work.next();
    if (step.done) return step.value;
  }
}
