/** The transports: Bun's fetch and Node's http client, neither through a proxy, and elsewhere whatever fetch there is. */

import type { Transport } from './transport.ts';

/** Bun's fetch obeys `http_proxy` even for this machine. */
const direct = { proxy: false };

/** @param origin such as `http://127.0.0.1:8700` */
export function overTcp(origin: string): Transport {
  if ('Bun' in globalThis) return overFetch(origin, direct);
  return globalThis.process?.versions?.node === undefined ? overFetch(origin, {}) : overNode(origin);
}

/** @param socketPath the socket's file, by Bun's own fetch or by Node's http client */
export function overSocket(socketPath: string): Transport {
  // Any name of this machine is served on the socket.
  const origin = 'http://localhost';
  if ('Bun' in globalThis) return overFetch(origin, { ...direct, unix: socketPath });
  return overNode(origin, socketPath);
}

function overNode(origin: string, socketPath?: string): Transport {
  const node = import('./over-node-http.ts').then(({ overNodeHttp }) => overNodeHttp(origin, socketPath));
  // A runtime without node:http says so with the first request.
  node.catch(() => undefined);
  return async (request) => (await node)(request);
}

/** @param more options that only this runtime knows */
function overFetch(origin: string, more: object): Transport {
  return async ({ path, ...init }) => {
    // Browsers' and edge runtimes' fetch requires `duplex` for a body that is a stream.
    const options: object = { ...init, ...more, duplex: 'half', redirect: 'manual' };
    const response = await fetch(origin + path, options);
    return {
      status: response.status,
      retryAfter: response.headers.get('retry-after'),
      text: await response.text(),
    };
  };
}
