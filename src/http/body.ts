/** Reads request bodies within limits of size, time and memory: JSON as a whole, a message in parts as it arrives. */

import { type ErrorCode, SignerError } from '../api/errors.ts';
import { maxJsonBytes, maxJsonBytesBesideStream } from '../api/limits.ts';
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
  /** Up to this declared length, a body is always read, except a batch. The number of requests limits their memory. */
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

/** Reserved for each long body: the runtime may buffer this much before the signer reads it. */
const readAheadBytes = 2 ** 20;

export interface JsonBound {
  readonly maxBytes: number;
  /** What the caller can do about a longer body. */
  readonly advice: string;
}

/** For a request whose message could be streamed, and then have any length. */
export const jsonBesideStream: JsonBound = {
  maxBytes: maxJsonBytesBesideStream,
  advice: 'send the message itself as application/octet-stream, or the request in a batch',
};
/** For a batch, and for a request that can only be JSON. */
export const jsonAlone: JsonBound = { maxBytes: maxJsonBytes, advice: 'send less at once' };

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
  let lastTurn: Promise<unknown> = Promise.resolve();
  const inTime = createDeadline(limits.timeoutMs);

  /** Reserves memory for a body. Slow long bodies can block other long ones, but never small ones. */
  const reserve = (length: number = readAheadBytes): Disposable => {
    const bytes = Math.min(length, readAheadBytes);
    if (heldBytes + bytes > limits.maxHeldBytes) throw overloaded();
    heldBytes += bytes;
    return {
      [Symbol.dispose]: () => {
        heldBytes -= bytes;
      },
    };
  };

  /** Reads the whole body or rejects with `timeout`. Uses callbacks because it runs on every request. */
  const whole = (request: Request): Promise<Uint8Array> =>
    new Promise((resolve, reject) => {
      const arrived = inTime(() => reject(late()));
      request.bytes().then(
        (bytes) => {
          arrived();
          resolve(bytes);
        },
        () => {
          arrived();
          reject(brokenOff());
        },
      );
    });

  async function* receive(request: Request, minBytesPerSecond: number): ReturnType<BodyReader['parts']> {
    const reader = request.body?.getReader();
    if (reader === undefined) return;
    const started = performance.now();
    let received = 0;
    try {
      for (;;) {
        const passedMs = performance.now() - started;
        const leftMs = limits.maxStreamMs - passedMs;
        // Check here too: if parts never have to be waited for, no timer fires.
        if (leftMs <= 0) throw endless(limits.maxStreamMs);
        const dueMs = limits.timeoutMs + (received * 1000) / minBytesPerSecond - passedMs;
        const pauseMs = Math.min(dueMs, limits.timeoutMs);
        const expired = leftMs < pauseMs ? () => endless(limits.maxStreamMs) : late;
        const { done, value } = await within(Math.min(leftMs, pauseMs), reader.read(), expired);
        if (done) return;
        received += value.length;
        yield value;
      }
    } finally {
      // Stop the transfer if the message is not read to its end.
      reader.cancel().catch(() => undefined);
    }
  }

  /** Reads a chunked body of JSON. */
  const collect = async (request: Request, bound: JsonBound): Promise<Uint8Array> => {
    // One buffer, because each of many short parts would cost a hundred bytes more.
    const body = Buffer.allocUnsafe(bound.maxBytes);
    let length = 0;
    // Infinity: a JSON body must arrive within `timeoutMs`, however steadily it is sent.
    for await (const part of receive(request, Number.POSITIVE_INFINITY)) {
      if (length + part.length > bound.maxBytes) throw tooLarge(bound);
      body.set(part, length);
      length += part.length;
    }
    return body.subarray(0, length);
  };

  return {
    json: async (request, bound, parse) => {
      const length = lengthWithin(request, bound);
      if (length !== undefined && length <= limits.smallBytes) return parseJson(await whole(request), parse);
      using _held = reserve(length);
      return parseJson(await (length === undefined ? collect(request, bound) : whole(request)), parse);
    },
    inTurn: async (request, bound, use) => {
      const length = lengthWithin(request, bound);
      using _held = reserve(length);
      const bytes = await (length === undefined ? collect(request, bound) : whole(request));
      const arrived = performance.now();
      const turn = lastTurn.then(() => {
        // The caller has disconnected, and no longer counts towards the limit of requests.
        if (request.signal.aborted) throw brokenOff();
        if (performance.now() - arrived > limits.timeoutMs) throw overloaded();
        return use(bytes);
      });
      // Do not retain this batch's result.
      lastTurn = turn.then(
        () => undefined,
        () => undefined,
      );
      return await turn;
    },
    async *parts(request) {
      const length = declaredLength(request);
      // Streaming a short message would cost twice as much as signing it.
      if (length !== undefined && length <= limits.smallBytes) return yield await whole(request);
      using _held = reserve(length);
      yield* receive(request, limits.minBytesPerSecond);
    },
  };
}

/** Undefined for a chunked body, and 0 without a body. */
function declaredLength({ headers }: Request): number | undefined {
  const length = headers.get('content-length');
  if (length !== null) return Number(length);
  return headers.has('transfer-encoding') ? undefined : 0;
}

/** @throws {SignerError} `message_too_large` */
function lengthWithin(request: Request, bound: JsonBound): number | undefined {
  const length = declaredLength(request);
  if (length !== undefined && length > bound.maxBytes) throw tooLarge(bound);
  return length;
}

/** Waits for a part of the body, for a limited time. */
function within<T>(ms: number, promise: Promise<T>, expired: () => SignerError): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(expired()), Math.max(ms, 0));
    const settled = () => clearTimeout(timer);
    promise.then(resolve, () => reject(brokenOff())).finally(settled);
  });
}

function late(): SignerError {
  return closing('timeout', 'send the whole body at once');
}

function endless(maxMs: number): SignerError {
  return closing('timeout', `the whole message must arrive within ${maxMs / 1000} seconds; send it faster`);
}

function brokenOff(): SignerError {
  return closing('malformed_request', 'the body broke off');
}

function tooLarge({ maxBytes, advice }: JsonBound): SignerError {
  return closing('message_too_large', `a JSON request has at most ${maxBytes} bytes here; ${advice}`);
}

/** An error after which the connection is closed, because the rest of the body is not read. */
function closing(code: ErrorCode, detail: string): SignerError {
  return new SignerError(code, detail, { connection: 'close' });
}
