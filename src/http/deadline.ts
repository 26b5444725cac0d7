/** One time-out for many waits of the same length. A timer for each would cost more than the signature it waits for. */

/**
 * @param ms how long each wait may take
 * @returns begins a wait: `expire` is called unless what it returns is called before
 */
export function createDeadline(ms: number): (expire: () => void) => () => void {
  // In the order in which they began, and so in that in which they end.
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
    return () => {
      waits.delete(expire);
    };
  };
}
