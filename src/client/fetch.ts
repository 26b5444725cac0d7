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
  // Node requires `duplex` for a body that is a stream; the types of fetch do not know it.
  const streamed = init.body instanceof ReadableStream ? { duplex: 'half' } : {};
  const options: RequestInit = { ...init, ...streamed, ...more, redirect: 'error' } as RequestInit;
  const response = await fetch(origin + path, options);
  return {
    status: response.status,
    retryAfter: response.headers.get('retry-after'),
    text: await response.text(),
  };
}
