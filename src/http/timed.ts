/** How long the signer itself works on a request, without waiting for it. */

import type { MessageSink } from '../signing/format.ts';

export interface Timed {
  readonly answer: object;
  readonly durationMs: number;
}

/** @param feed calls its argument with each part of a message */
export async function feedParts(
  sink: MessageSink<object>,
  feed: (use: (part: Uint8Array) => void) => Promise<void>,
): Promise<Timed> {
  let durationMs = 0;
  await feed((part) => {
    const begunAt = performance.now();
    sink.update(part);
    durationMs += performance.now() - begunAt;
  });
  const begunAt = performance.now();
  const answer = sink.finish();
  return { answer, durationMs: durationMs + performance.now() - begunAt };
}
