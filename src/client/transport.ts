/** What the client sends and receives, whatever carries it. */

export interface Sent {
  readonly path: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | ReadableStream<Uint8Array>;
  readonly signal: AbortSignal;
}

export interface Received {
  readonly status: number;
  /** The header `Retry-After`. */
  readonly retryAfter: string | null;
  /** Undefined if it has more than {@link maxAnswerBytes}. */
  readonly body: Uint8Array | undefined;
}

/**
 * Carries one request to the signer, and returns its answer. If there is no connection, it rejects before it reads a
 * stream.
 */
export type Transport = (request: Sent) => Promise<Received>;

/** A signer never sends more. Something else that listens at its address could send without end. */
export const maxAnswerBytes: number = 2 ** 24;

/** Reads the body of an answer. Stops the transfer and returns undefined if there are more than {@link maxAnswerBytes}. */
export async function readBody(
  body: AsyncIterable<Uint8Array> | readonly Uint8Array[],
): Promise<Uint8Array | undefined> {
  // One buffer that doubles: a list of parts would be many times as large as parts of one byte.
  let bytes = new Uint8Array(0);
  let length = 0;
  for await (const part of body) {
    const needed = length + part.length;
    if (needed > maxAnswerBytes) return undefined;
    if (needed > bytes.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * bytes.length));
      larger.set(bytes.subarray(0, length));
      bytes = larger;
    }
    bytes.set(part, length);
    length = needed;
  }
  return bytes.subarray(0, length);
}
