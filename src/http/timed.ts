/** How long the signer itself works on a message, without waiting for it. */

import type { MessageSink } from '../signing/format.ts';

export interface Timed {
  readonly answer: object;
  readonly durationMs: number;
}

/** @returns a sink whose answer tells how long it took */
export function timed(sink: MessageSink<object>): MessageSink<Timed> {
  let durationMs = 0;
  return {
    update: (part) => {
      const begunAt = performance.now();
      sink.update(part);
      durationMs += performance.now() - begunAt;
    },
    finish: () => {
      const begunAt = performance.now();
      const answer = sink.finish();
      return { answer, durationMs: durationMs + performance.now() - begunAt };
    },
  };
}
