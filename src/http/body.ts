/**
 * Reads request bodies within bounds of size, time and memory: JSON whole, a message in parts as it arrives.
 */

import { SignerError } from '../api/errors.ts';
import { createDeadline } from './deadline.ts';
import { parseJson } from './json-body.ts';
import { overloaded } from './problem.ts';

export interface BodyLimits {
  /** How long a JSON body may take to arrive, and how long a streamed one may pause. */
  readonly timeoutMs: number;
  /** Bytes a second that a streamed message must reach on average once the time-out is over. */
  readonly minBytesPerSecond: number;
  /** How long a streamed body may take in all: for no longer does one go on with keys that have been removed since. */
  readonly maxStreamMs: number;
  /** A body of one request that says it is no longer than this is always read: the number of requests bounds these. */
  readonly smallBytes: number;
  /** Bytes of all other bodies that may be held in memory at the same time. */
  readonly maxHeldBytes: number;
}

export const defaultBodyLimits: BodyLimits = {
  timeoutMs: 5000,
  minBytesPerSecond: 64 * 1024,
  maxStreamMs: 10 * 60 * 1000,
  smallBytes: 16 * 1024,
  maxHeldBytes: 16 * 2 ** 20,
};

/** As much of a longer body is held at once, or of one that does not say how long it is: the runtime reads ahead of us. */
const readAheadBytes = 2 ** 20;

/** How long a JSON body may be. */
export interface JsonBound {
  readonly maxBytes: number;
  /** What to do with a longer one. */
  readonly advice: string;
}

export interface BodyReader {
  /**
   * @param parse of the body's text
   * @throws {SignerError} `malformed_request`, `message_too_large`, `timeout`, `overloaded`
   */
  json(request: Request, bound: JsonBound, parse?: (text: string) => unknown): Promise<unknown>;
  /**
   * A body that is worked on for long, between other requests. One at a time: the others wait as they came, and count as
   * held until they have been used, so that they cannot fill the memory together.
   * @throws {SignerError} `malformed_request`, `message_too_large`, `timeout`, `overloaded`, and whatever `use` throws
   */
  inTurn<T>(request: Request, bound: JsonBound, use: (bytes: Uint8Array) => Promise<T>): Promise<T>;
  /**
   * The body's parts in order, each valid until the next is asked for.
   * @throws {SignerError} `malformed_request`, `timeout`, `overloaded`
   */
  parts(request: Request): AsyncGenerator<Uint8Array, void, void>;
}

export function createBodyReader(limits: BodyLimits = defaultBodyLimits): BodyReader {
  let heldBytes = 0;
  const inTime = createDeadline(limits.timeoutMs);

  /** Reserves what a body may take. Those that stall keep out others of their kind, but no small one. */
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
        // Its caller has gone away, and is no longer counted among the requests at work.
        if (request.signal.aborted) throw brokenOff();
        if (performance.now() - arrived > limits.timeoutMs) throw overloaded();
        return use(bytes);
      });
      // Nothing of it is kept until the next.
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
    // To stream a short message would cost twice as much as to sign it.
    if (length !== undefined && length <= limits.smallBytes) {
      yield await whole(request, (bytes) => bytes);
    } else {
      using _held = reserve(length ?? readAheadBytes);
      yield* receive(request, limits.minBytesPerSecond);
    }
  }

  /** A body that comes at once, or not in time. Of few promises, since every request makes them anew. */
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
        // Asked here, too: where each next part is there already, no timer runs out.
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
      // Ends the transfer when the message was not wanted to its end.
      reader.cancel().catch(() => undefined);
    }
  }

  const collect = async (request: Request, bound: JsonBound) => {
    // Of one piece: a list of parts would cost a hundred bytes for each, however short it is.
    const body = Buffer.allocUnsafe(bound.maxBytes);
    let length = 0;
    // No rate wins a JSON body more time.
    for await (const part of receive(request, Number.POSITIVE_INFINITY)) {
      if (length + part.length > bound.maxBytes) throw tooLarge(bound);
      body.set(part, length);
      length += part.length;
    }
    return body.subarray(0, length);
  };

  return { json, inTurn, parts };
}

/** Undefined for a body in chunks; without a body there is neither. */
function declaredLength({ headers }: Request): number | undefined {
  const length = headers.get('content-length');
  if (length !== null) return Number(length);
  return headers.has('transfer-encoding') ? undefined : 0;
}

/** The promise's value, or an error when it takes longer. A transfer that breaks off is malformed. */
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
