/** How long the signer itself works on a request, without waiting for it. */

import type { MessageSink } from '../signing/format.ts';

export interface Timed {
  readonly answer: object;
  readonly durationMs: number;
}

/** Feeds a message that arrives in parts. */
export async function feedParts(sink: MessageSink<object>, parts: AsyncIterable<Uint8Array>): Promise<Timed> {
  let durationMs = 0;
  for await (const part of parts) {
    const begunAt = performance.now();
    sink.update(part);
    durationMs += performance.now() - begunAt;
  }
  const begunAt = performance.now();
  const answer = sink.finish();
  return { answer, durationMs: durationMs + performance.now() - begunAt };
}
