/** Reads request bodies within limits of size, time and memory: JSON as a whole, a message in parts as it arrives. */

import { SignerError } from '../api/errors.ts';
import { createDeadline } from './deadline.ts';
import { parseJson } from './json-body.ts';
import { overloaded } from './problem.ts';

export interface BodyLimits {
  /** How long a JSON body may take to arrive, and how long a streamed body may pause. */
  readonly timeoutMs: number;
  /** The average rate that a streamed body must reach after the first `timeoutMs`. */
  readonly minBytesPerSecond: number;
  /** How long a streamed body may take in all. It also limits how long removed keys can still be used. */
  readonly maxStreamMs: number;
  /** Up to this declared length, a body is always read. The number of requests limits their memory. */
  readonly smallBytes: number;
  /** How many bytes of longer bodies may be in memory at the same time. */
  readonly maxHeldBytes: number;
}

export const defaultBodyLimits: BodyLimits = {
  timeoutMs: 5000,
  minBytesPerSecond: 64 * 1024,
  maxStreamMs: 10 * 60 * 1000,
  smallBytes: 16 * 1024,
  maxHeldBytes: 16 * 2 ** 20,
};

/** Counted for a long body, or one of unknown length: the runtime reads ahead of us. */
const readAheadBytes = 2 ** 20;

export interface JsonBound {
  readonly maxBytes: number;
  /** What the caller can do about a longer body. */
  readonly advice: string;
}

export interface BodyReader {
  /**
   * Reads and parses a JSON body.
   * @throws {SignerError} `malformed_request`, `message_too_large`, `timeout`, `overloaded`
   */
  json(request: Request, bound: JsonBound, parse?: (text: string) => unknown): Promise<unknown>;
  /**
   * Reads a body whose processing takes long. Bodies are processed one at a time, in the order of their arrival. Those that
   * wait count towards `maxHeldBytes`.
   * @throws {SignerError} `malformed_request`, `message_too_large`, `timeout`, `overloaded`, and whatever `use` throws
   */
  inTurn<T>(request: Request, bound: JsonBound, use: (bytes: Uint8Array) => Promise<T>): Promise<T>;
  /**
   * Reads a body in parts. Each part is valid until the next one is requested.
   * @throws {SignerError} `malformed_request`, `timeout`, `overloaded`
   */
  parts(request: Request): AsyncGenerator<Uint8Array, void, void>;
}

export function createBodyReader(limits: BodyLimits = defaultBodyLimits): BodyReader {
  let heldBytes = 0;
  const inTime = createDeadline(limits.timeoutMs);

  /** Reserves memory for a body. Slow bodies can keep out other long ones, but no small one. */
  const reserve = (length: number): Disposable => {
    const bytes = Math.min(length, readAheadBytes);
    if (heldBytes + bytes > limits.maxHeldBytes) throw overloaded();
    heldBytes += bytes;
    return {
      [Symbol.dispose]: () => {
        heldBytes -= bytes;
      },
    };
  };

  const json: BodyReader['json'] = (request, bound, parse) => {
    const length = declaredLength(request);
    const read = (bytes: Uint8Array) => parseJson(bytes, parse);
    if (length !== undefined && length <= Math.min(limits.smallBytes, bound.maxBytes)) {
      return whole(request, read);
    }
    return held(request, bound, async (bytes) => read(bytes));
  };

  let last: Promise<unknown> = Promise.resolve();
  const inTurn: BodyReader['inTurn'] = (request, bound, use) =>
    held(request, bound, (bytes) => {
      const arrived = performance.now();
      const turn = last.then(() => {
        // The caller has disconnected, and no longer counts towards the limit of requests.
        if (request.signal.aborted) throw brokenOff();
        if (performance.now() - arrived > limits.timeoutMs) throw overloaded();
        return use(bytes);
      });
      // Do not retain this batch's result.
      last = turn.then(
        () => undefined,
        () => undefined,
      );
      return turn;
    });

  const held = async <T>(request: Request, bound: JsonBound, use: (bytes: Uint8Array) => Promise<T>) => {
    const length = declaredLength(request);
    if (length !== undefined && length > bound.maxBytes) throw tooLarge(bound);
    using _held = reserve(length ?? readAheadBytes);
    return await use(
      await (length === undefined ? collect(request, bound) : whole(request, (bytes) => bytes)),
    );
  };

  async function* parts(request: Request): AsyncGenerator<Uint8Array, void, void> {
    const length = declaredLength(request);
    // Streaming a short message would cost twice as much as signing it.
    if (length !== undefined && length <= limits.smallBytes) {
      yield await whole(request, (bytes) => bytes);
    } else {
      using _held = reserve(length ?? readAheadBytes);
      yield* receive(request, limits.minBytesPerSecond);
    }
  }

  /** Reads the whole body or rejects with `timeout`. Uses callbacks because it runs on every request. */
  const whole = <T>(request: Request, use: (bytes: Uint8Array) => T): Promise<T> =>
    new Promise((resolve, reject) => {
      const arrived = inTime(() => reject(late()));
      request.bytes().then(
        (bytes) => {
          arrived();
          try {
            resolve(use(bytes));
          } catch (error) {
            reject(error);
          }
        },
        () => {
          arrived();
          reject(brokenOff());
        },
      );
    });

  async function* receive(
    request: Request,
    minBytesPerSecond: number,
  ): AsyncGenerator<Uint8Array, void, void> {
    const reader = request.body?.getReader();
    if (reader === undefined) return;
    const started = performance.now();
    let received = 0;
    try {
      for (;;) {
        const passedMs = performance.now() - started;
        const leftMs = limits.maxStreamMs - passedMs;
        // If each next part is there already, no timer fires.
        if (leftMs <= 0) throw endless(limits.maxStreamMs);
        const dueMs = limits.timeoutMs + (received * 1000) / minBytesPerSecond - passedMs;
        const pauseMs = Math.min(dueMs, limits.timeoutMs);
        const { done, value } = await (leftMs < pauseMs
          ? within(leftMs, reader.read(), () => endless(limits.maxStreamMs))
          : within(pauseMs, reader.read(), late));
        if (done) return;
        received += value.length;
        yield value;
      }
    } finally {
      // Stop the transfer if the message is not read to its end.
      reader.cancel().catch(() => undefined);
    }
  }

  const collect = async (request: Request, bound: JsonBound) => {
    // One buffer, because each of many short parts would cost a hundred bytes more.
    const body = Buffer.allocUnsafe(bound.maxBytes);
    let length = 0;
    // A JSON body gets no more time for arriving steadily.
    for await (const part of receive(request, Number.POSITIVE_INFINITY)) {
      if (length + part.length > bound.maxBytes) throw tooLarge(bound);
      body.set(part, length);
      length += part.length;
    }
    return body.subarray(0, length);
  };

  return { json, inTurn, parts };
}

/** Undefined for a chunked body, and 0 without a body. */
function declaredLength({ headers }: Request): number | undefined {
  const length = headers.get('content-length');
  if (length !== null) return Number(length);
  return headers.has('transfer-encoding') ? undefined : 0;
}

/** Waits for a part of the body, for a limited time. */
function within<T>(ms: number, promise: Promise<T>, expired: () => SignerError): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(expired()), Math.max(ms, 0));
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      () => {
        clearTimeout(timer);
        reject(brokenOff());
      },
    );
  });
}

function late(): SignerError {
  return new SignerError('timeout', 'send the whole body at once', { connection: 'close' });
}

function endless(maxMs: number): SignerError {
  return new SignerError(
    'timeout',
    `the whole message must arrive within ${maxMs / 1000} seconds; send it faster`,
    { connection: 'close' },
  );
}

function brokenOff(): SignerError {
  return new SignerError('malformed_request', 'the body broke off', { connection: 'close' });
}

function tooLarge({ maxBytes, advice }: JsonBound): SignerError {
  return new SignerError(
    'message_too_large',
    `a JSON request has at most ${maxBytes} bytes here; ${advice}`,
    { connection: 'close' },
  );
}
