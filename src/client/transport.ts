/** What a transport is: it carries one request to the signer and brings the answer back. */

export interface Sent {
  readonly path: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | ReadableStream<Uint8Array>;
  readonly signal: AbortSignal;
}

export interface Received {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly text: string;
}

export type Transport = (request: Sent) => Promise<Received>;
