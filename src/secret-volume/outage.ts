/** Tells when no watcher runs for longer than it takes to start one again, and when one does again. */

import type { VolumeError } from './problem.ts';

export interface Outage {
  /** Whether the last thing that was told is that there is no watcher. */
  readonly isOn: boolean;
  /** To be called after each poll. `isUp` is undefined if there is no watcher yet. */
  observe(isUp: boolean | undefined, problem: VolumeError | undefined): void;
}

/** A watcher that has failed once is started again sooner. */
const patienceMs = 2000;

/** A directory that is not there cannot be watched. Its absence is a problem of its own. */
const absent: ReadonlySet<string> = new Set(['missing', 'not_a_directory']);

export function createOutage(tell: (state: 'up' | 'down') => void): Outage {
  let isOn = false;
  let downSinceMs: number | undefined;
  return {
    get isOn() {
      return isOn;
    },
    observe: (isUp, problem) => {
      const isDown = isUp === false && problem?.problems.some(({ code }) => absent.has(code)) !== true;
      downSinceMs = isDown ? (downSinceMs ?? performance.now()) : undefined;
      const isLong = downSinceMs !== undefined && performance.now() - downSinceMs >= patienceMs;
      const state = isLong ? 'down' : isUp ? 'up' : undefined;
      if (state === undefined || isOn === (state === 'down')) return;
      isOn = state === 'down';
      tell(state);
    },
  };
}
