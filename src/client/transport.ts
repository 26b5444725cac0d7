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
  readonly text: string;
}

/** Carries one request to the signer, and returns its answer. */
export type Transport = (request: Sent) => Promise<Received>;

/** Parses an answer or a problem, both of which are JSON objects. Undefined for anything else: a signer did not send it. */
export function parseAnswer(text: string): object | undefined {
  try {
    const answer: unknown = JSON.parse(text);
    return typeof answer === 'object' && answer !== null && !Array.isArray(answer) ? answer : undefined;
  } catch {
    return undefined;
  }
}
