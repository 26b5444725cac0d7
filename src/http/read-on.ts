/**
 * Answers a refusal while its request is still arriving. A connection that is closed with data unread is reset, and a
 * client that is still sending may then lose the answer (RFC 9112 §9.6). So the rest of the body is read.
 */

import { declaredLength } from './body.ts';
import { createDeadline } from './deadline.ts';
import { release } from './release.ts';

export interface ReadOnLimits {
  /** How long the answer waits for the end of the body. Nearly every body ends within it, and its connection stays usable. */
  readonly waitMs: number;
  /** How long a body may pause. Its client may have stopped sending, and be waiting for the end of the answer. */
  readonly pauseMs: number;
  /** For how long a body is read. */
  readonly maxMs: number;
  /** How much of a body is read. */
  readonly maxBytes: number;
  /** How many bodies are read at the same time. Each may take a mebibyte of memory. */
  readonly maxRead: number;
  /**
   * How many there are in all. Those beyond `maxRead` are discarded by the runtime, for `pauseMs`. That takes no memory, but
   * nobody knows when they end.
   */
  readonly maxBodies: number;
}

/** A longer body is read in parts. */
const shortBytes = 16 * 1024;

export const defaultReadOnLimits: ReadOnLimits = {
  waitMs: 100,
  pauseMs: 1000,
  maxMs: 5000,
  maxBytes: 32 * 2 ** 20,
  maxRead: 16,
  maxBodies: 64,
};

/** Returns the answer to send: the refusal itself, or one that ends when the body has been read. */
export type ReadOn = (request: Request, refusal: Response) => Response | Promise<Response>;

export function createReadOn(limits: ReadOnLimits = defaultReadOnLimits): ReadOn {
  const soon = createDeadline(limits.waitMs);
  const inTime = createDeadline(limits.pauseMs);
  let read = 0;
  let discarded = 0;

  /** Resolves with whether the whole body has been read. */
  const readRest = async ({ body }: Request): Promise<boolean> => {
    const reader = body?.getReader();
    if (reader === undefined) return true;
    const end = performance.now() + limits.maxMs;
    let isPaused = false;
    let received = 0;
    try {
      while (received <= limits.maxBytes && performance.now() < end) {
        const arrived = inTime(() => {
          isPaused = true;
          cancel(reader);
        });
        const { done, value } = await reader.read();
        arrived();
        if (done) return !isPaused;
        received += value.length;
        release(value);
      }
    } catch {
      // The client has gone.
    }
    cancel(reader);
    return false;
  };

  /** Reads a short body as a whole, which costs less. */
  const readShort = (request: Request): Promise<boolean> =>
    new Promise((resolve) => {
      const arrived = inTime(() => resolve(false));
      const end = (isWhole: boolean) => {
        arrived();
        resolve(isWhole);
      };
      request.bytes().then(
        () => end(true),
        () => end(false),
      );
    });

  return async (request, refusal) => {
    const length = declaredLength(request);
    const isShort = length !== undefined && length <= shortBytes;
    // A locked body has been read, or has been waited for in vain.
    if (length === 0 || (isShort ? request.bodyUsed : request.body?.locked !== false)) return refusal;
    if (read >= limits.maxRead) {
      request.body?.cancel().catch(() => undefined);
      closeAfter(refusal);
      if (read + discarded >= limits.maxBodies) return refusal;
      discarded++;
      const passed = new Promise<void>((resolve) => inTime(resolve)).finally(() => discarded--);
      return endingWith(passed, refusal);
    }
    read++;
    const rest = (isShort ? readShort(request) : readRest(request)).finally(() => read--);
    const outcome = await new Promise<boolean | 'late'>((resolve) => {
      const ended = soon(() => resolve('late'));
      void rest.finally(ended).then(resolve);
    });
    if (outcome === true) return refusal;
    closeAfter(refusal);
    return outcome === 'late' ? endingWith(rest, refusal) : refusal;
  };
}

type Reader = Pick<ReadableStreamDefaultReader<Uint8Array>, 'read' | 'cancel'>;

function cancel(reader: Reader): void {
  reader.cancel().catch(() => undefined);
}

/** Makes the runtime close the connection after the answer. */
function closeAfter(answer: Response): Response {
  answer.headers.set('connection', 'close');
  return answer;
}

/** Sends the text of the answer at once, and ends the answer when the promise has settled. */
async function endingWith(settled: Promise<unknown>, answer: Response): Promise<Response> {
  const text = await answer.bytes();
  const start = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    controller.enqueue(text);
    await settled;
    controller.close();
  };
  return new Response(new ReadableStream({ start }), answer);
}
