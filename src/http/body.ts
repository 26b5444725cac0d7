/** Reads request bodies within limits of size, time and memory: JSON as a whole, a message in parts as it arrives. */

import { type ErrorCode, SignerError } from '../api/errors.ts';
import { maxJsonBytes } from '../api/limits.ts';
import { type BodyShare, createBodyShares, readAheadBytes } from './body-shares.ts';
import { createDeadline } from './deadline.ts';
import { mostOfRequest, parseJson } from './json-body.ts';
import { overloaded } from './problem.ts';
import { release } from './release.ts';

export interface BodyLimits {
  /** The longest JSON body. At least `smallBytes`. */
  readonly maxJsonBytes: number;
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
  maxJsonBytes,
  timeoutMs: 5000,
  minBytesPerSecond: 64 * 1024,
  maxStreamMs: 10 * 60 * 1000,
  smallBytes: 16 * 1024,
  maxHeldBytes: 8 * 2 ** 20,
};

/** For one caller. */
export interface BodyReader {
  /**
   * Reads and parses a JSON body.
   * @param advice what the caller can do about a longer body
   * @throws {SignerError} `malformed_request`, `message_too_large`, `timeout`, `overloaded`
   */
  json(request: Request, advice: string, parse?: (text: string) => unknown): Promise<unknown>;
  /**
   * Reads a body whose processing takes long. Bodies are processed one at a time, those of a caller in the order of their
   * arrival. Those that wait count towards `maxHeldBytes`.
   * @throws {SignerError} `malformed_request`, `message_too_large`, `timeout`, `overloaded`, and whatever `use` throws
   */
  inTurn<T>(request: Request, advice: string, use: (bytes: Uint8Array) => Promise<T>): Promise<T>;
  /**
   * Reads a body in parts, of any length.
   * @param use is called with each part, which is freed when it returns
   * @throws {SignerError} `malformed_request`, `timeout`, `overloaded`, and whatever `use` throws
   */
  parts(request: Request, use: (part: Uint8Array) => void): Promise<void>;
}

/** Shorter JSON is left to the runtime. */
const longJsonBytes = 128 * 1024;

/** @param share by default all that there is, for a single caller */
export function createBodyReader(
  limits: BodyLimits = defaultBodyLimits,
  share: BodyShare = createBodyShares(limits)(),
): BodyReader {
  const inTime = createDeadline(limits.timeoutMs);

  /** Reserves memory for a body. Slow long bodies can block other long ones of their caller, but never small ones. */
  const reserve = (length: number = readAheadBytes): Disposable =>
    share.reserve(Math.min(length, readAheadBytes));

  /**
   * Reads the whole body or rejects with `timeout`. Resolves with what `use` makes of it, which is not called when it is too
   * late. Uses callbacks because it runs on every request.
   */
  const whole = <T>(request: Request, use: (bytes: Uint8Array) => T): Promise<T> =>
    new Promise((resolve, reject) => {
      const arrived = inTime(() => reject(late()));
      request.bytes().then(
        (bytes) => {
          if (!arrived()) return;
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
        // Check here too: if parts never have to be waited for, no timer fires.
        if (leftMs <= 0) throw endless(limits.maxStreamMs);
        const dueMs = limits.timeoutMs + (received * 1000) / minBytesPerSecond - passedMs;
        const pauseMs = Math.min(dueMs, limits.timeoutMs);
        const expired = leftMs < pauseMs ? () => endless(limits.maxStreamMs) : late;
        const { done, value } = await within(Math.min(leftMs, pauseMs), reader.read(), expired);
        if (done) return;
        received += value.length;
        yield value;
        release(value);
      }
    } catch (error) {
      // Stop the transfer, which is too slow.
      reader.cancel().catch(() => undefined);
      throw error;
    } finally {
      // After a refusal of what has come, read-on.ts reads the rest.
      reader.releaseLock();
    }
  }

  /** Reads a chunked body of JSON. */
  const collect = async (request: Request, advice: string): Promise<Uint8Array> => {
    // One buffer that grows, because each of many short parts would cost a hundred bytes more.
    let body = new Uint8Array(limits.smallBytes);
    let length = 0;
    // Infinity: a JSON body must arrive within `timeoutMs`, however steadily it is sent.
    for await (const part of receive(request, Number.POSITIVE_INFINITY)) {
      const needed = length + part.length;
      if (needed > limits.maxJsonBytes) throw tooLarge(advice);
      if (needed > body.length) {
        const size = Math.min(Math.max(needed, 2 * body.length), limits.maxJsonBytes);
        body = new Uint8Array(body.buffer.transfer(size));
      }
      body.set(part, length);
      length = needed;
    }
    return new Uint8Array(body.buffer.transfer(length));
  };

  /** Reads JSON that is long or chunked, and collects what the bodies before it have left. */
  const longJson = async (request: Request, length: number | undefined, advice: string) => {
    const bytes = await (length === undefined ? collect(request, advice) : whole(request, (bytes) => bytes));
    if (bytes.length >= longJsonBytes) share.hasRead(bytes.length);
    return bytes;
  };

  /** @throws {SignerError} `message_too_large` */
  const checkJsonLength = (length: number | undefined, advice: string): void => {
    if (length !== undefined && length > limits.maxJsonBytes) throw tooLarge(advice);
  };

  const isSmall = (length: number | undefined): boolean =>
    length !== undefined && length <= limits.smallBytes;

  const tooLarge = (advice: string): SignerError =>
    new SignerError('message_too_large', `a JSON body has at most ${limits.maxJsonBytes} bytes; ${advice}`);

  return {
    json: (request, advice, parse) => {
      const length = declaredLength(request);
      const parsed = (bytes: Uint8Array) => parseJson(bytes, mostOfRequest, parse);
      const parseLong = async () => {
        checkJsonLength(length, advice);
        using _held = reserve(length);
        return parsed(await longJson(request, length, advice));
      };
      return isSmall(length) ? whole(request, parsed) : parseLong();
    },
    inTurn: async (request, advice, use) => {
      const length = declaredLength(request);
      checkJsonLength(length, advice);
      using _held = isSmall(length) ? undefined : reserve(length);
      const bytes = await longJson(request, length, advice);
      const arrived = performance.now();
      return await share.inTurn(() => {
        // The caller has disconnected, and no longer counts towards the limit of requests.
        if (request.signal.aborted) throw brokenOff();
        if (performance.now() - arrived > limits.timeoutMs) throw overloaded();
        return use(bytes);
      });
    },
    parts: (request, use) => {
      const length = declaredLength(request);
      const stream = async () => {
        using _held = reserve(length);
        for await (const part of receive(request, limits.minBytesPerSecond)) use(part);
      };
      // Streaming a short message would cost twice as much as signing it.
      return isSmall(length) ? whole(request, use) : stream();
    },
  };
}

/** Undefined for a chunked body, and 0 without a body. */
export function declaredLength({ headers }: Request): number | undefined {
  const length = headers.get('content-length');
  if (length !== null) return Number(length);
  return headers.has('transfer-encoding') ? undefined : 0;
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
  return closing('timeout', 'the body did not arrive in time; send it faster');
}

function endless(maxMs: number): SignerError {
  return closing('timeout', `the whole message must arrive within ${maxMs / 1000} seconds; send it faster`);
}

function brokenOff(): SignerError {
  return closing('malformed_request', 'the body broke off; send the request again');
}

/** An error after which the connection is closed, because the rest of the body is not read. */
function closing(code: ErrorCode, detail: string): SignerError {
  return new SignerError(code, detail, { connection: 'close' });
}
