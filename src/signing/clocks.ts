/** The time, as an argument of everything that needs it. */

export interface Clocks {
  /** Milliseconds since the epoch; may be set back. */
  readonly now: () => number;
  /** Milliseconds since some moment; never set back. */
  readonly monotonicMs: () => number;
}

export const systemClocks: Clocks = { now: Date.now, monotonicMs: () => performance.now() };
