/**
 * Reads request bodies within bounds of size, time and memory: JSON whole, a message in parts as it arrives.
 */

import { SignerError } from '../errors.ts';
import { overloaded } from './problem.ts';

export interface BodyLimits {
  /** Bytes of the JSON bodies that are held in memory at the same time, over all requests. */
  readonly maxBufferedBytes: number;
  /** How long a JSON body may take to arrive, and how long a streamed one may pause. */
  readonly timeoutMs: number;
  /** Bytes a second that a streamed message must reach on average once the time-out is over. */
  readonly minBytesPerSecond: number;
}

export const defaultBodyLimits: BodyLimits = {
  maxBufferedBytes: 4 * 2 ** 20,
  timeoutMs: 5000,
  minBytesPerSecond: 64 * 1024,
};

export interface BodyReader {
  /** @throws {SignerError} `malformed_request`, `message_too_large`, `timeout`, `overloaded` */
  json(request: Request, maxBytes: number): Promise<unknown>;
  /** The body's parts in order, each valid until the next is asked for. @throws {SignerError} `timeout` */
  parts(request: Request): AsyncGenerator<Uint8Array, void, void>;
}

export function createBodyReader(limits: BodyLimits = defaultBodyLimits): BodyReader {
  let bufferedBytes = 0;

  const json = async (request: Request, maxBytes: number) => {
    const length = request.headers.get('content-length');
    // A chunked body may grow to the limit, so that is what it counts for.
    const reserved = length === null ? maxBytes : Number(length);
    if (reserved > maxBytes) throw tooLarge(maxBytes);
    if (bufferedBytes + reserved > limits.maxBufferedBytes) throw overloaded();
    bufferedBytes += reserved;
    try {
      const body = length === null ? collect(request, maxBytes) : request.bytes();
      return parseJson(await within(limits.timeoutMs, body));
    } finally {
      bufferedBytes -= reserved;
    }
  };

  async function* parts(request: Request): AsyncGenerator<Uint8Array, void, void> {
    const reader = request.body?.getReader();
    if (reader === undefined) return;
    const started = performance.now();
    let received = 0;
    try {
      for (;;) {
        const dueMs = limits.timeoutMs + (received * 1000) / limits.minBytesPerSecond;
        const leftMs = started + dueMs - performance.now();
        const { done, value } = await within(Math.min(leftMs, limits.timeoutMs), reader.read());
        if (done) return;
        received += value.length;
        yield value;
      }
    } finally {
      // Ends the transfer when the message was not wanted to its end.
      reader.cancel().catch(() => undefined);
    }
  }

  const collect = async (request: Request, maxBytes: number) => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const part of parts(request)) {
      length += part.length;
      if (length > maxBytes) throw tooLarge(maxBytes);
      chunks.push(part.slice());
    }
    return Buffer.concat(chunks);
  };

  return { json, parts };
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    throw new SignerError(
      'malformed_request',
      'the body must be one JSON text in UTF-8, without a byte order mark',
    );
  }
}

/** The promise's value, or a `timeout` when it takes longer. A transfer that breaks off is malformed. */
function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new SignerError('timeout', 'send the whole body at once', { connection: 'close' })),
      Math.max(ms, 0),
    );
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      () => {
        clearTimeout(timer);
        reject(new SignerError('malformed_request', 'the body broke off', { connection: 'close' }));
      },
    );
  });
}

function tooLarge(maxBytes: number): SignerError {
  return new SignerError(
    'message_too_large',
    `a JSON body has at most ${maxBytes} bytes; send a longer message as application/octet-stream`,
    { connection: 'close' },
  );
}
