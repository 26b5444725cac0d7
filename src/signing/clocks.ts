/** The clocks, which everything that needs the time receives as an argument. */

export interface Clocks {
  /** Milliseconds since the epoch; may be set back. */
  readonly now: () => number;
  /** Milliseconds since an arbitrary moment; never runs backwards. */
  readonly monotonicMs: () => number;
}

export const systemClocks: Clocks = { now: Date.now, monotonicMs: () => performance.now() };
