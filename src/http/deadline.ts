/** One timer for many waits of the same length. A timer for each request would cost more than its signature. */

/**
 * @param ms how long each wait may take
 * @returns a function that starts a wait and returns another that ends it, and tells whether it still waited. `expire` is
 * called if the wait is not ended in time
 */
export function createDeadline(ms: number): (expire: () => void) => () => boolean {
  // In the order in which they start, which is the order in which they expire.
  const waits = new Map<() => void, number>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const next = () => {
    timer = undefined;
    const now = performance.now();
    for (const [expire, due] of waits) {
      if (due > now) {
        timer = setTimeout(next, Math.ceil(due - now));
        return;
      }
      waits.delete(expire);
      expire();
    }
  };

  return (expire) => {
    waits.set(expire, performance.now() + ms);
    if (timer === undefined) timer = setTimeout(next, ms);
    return () => waits.delete(expire);
  };
}
