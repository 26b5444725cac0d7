/** Measures work that does not wait. */

export interface Timed<T> {
  readonly answer: T;
  readonly durationMs: number;
}

export function timed<T>(work: () => T): Timed<T> {
  const begunAt = performance.now();
  const answer = work();
  return { answer, durationMs: performance.now() - begunAt };
}
