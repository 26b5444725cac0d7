/** The transports: fetch over TCP, or a Unix socket where the runtime can. */

import type { Received, Sent, Transport } from './transport.ts';

/** @param origin such as `http://127.0.0.1:8700` */
export function overTcp(origin: string): Transport {
  return (request) => byFetch(origin, request, {});
}

/** @param socketPath the socket's file, by Bun's own fetch or by Node's http client */
export function overSocket(socketPath: string): Transport {
  // Any name of this machine is served on the socket.
  if ('Bun' in globalThis) return (request) => byFetch('http://localhost', request, { unix: socketPath });
  const node = import('./node-socket.ts').then(({ overNodeSocket }) => overNodeSocket(socketPath));
  // A runtime without node:http says so with the first request.
  node.catch(() => undefined);
  return async (request) => (await node)(request);
}

async function byFetch(origin: string, { path, ...init }: Sent, more: object): Promise<Received> {
  const streamed = init.body instanceof ReadableStream ? streamedBody(init.body, init.signal) : {};
  const options: RequestInit = { ...init, ...streamed, ...more, redirect: 'error' } as RequestInit;
  const response = await fetch(origin + path, options);
  return {
    status: response.status,
    retryAfter: response.headers.get('retry-after'),
    text: await response.text(),
  };
}

/** Node requires `duplex` for a body that is a stream; the types of fetch do not know it. */
function streamedBody(stream: ReadableStream<Uint8Array>, signal: AbortSignal): object {
  return { body: cancelledOnAbort(stream, signal), duplex: 'half' };
}

/**
 * The same stream, cancelled when the request is aborted, which Node's fetch leaves out. It is not piped through another
 * one for that: Node's fetch throws, where nobody can catch it, when it cancels a stream that has failed.
 */
function cancelledOnAbort(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  const cancel = () => reader.cancel(signal.reason).catch(() => undefined);
  signal.addEventListener('abort', cancel, { once: true });
  return new ReadableStream({
    pull: async (controller) => {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
