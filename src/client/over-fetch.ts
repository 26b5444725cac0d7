/**
 * Chooses what carries requests: `fetch` on Bun, `node:http` on Node, and on other runtimes whatever `fetch` they have. On
 * Bun and Node, no proxy is used.
 */

import { readBody, type Transport } from './transport.ts';

/**
 * Without `proxy`, Bun's fetch obeys `http_proxy` even for loopback addresses. A signer compresses nothing, and a few
 * bytes from something else could expand to gigabytes.
 */
const direct = { proxy: false, decompress: false };

/** @param origin such as `http://127.0.0.1:8700` */
export function overTcp(origin: string): Transport {
  if ('Bun' in globalThis) return overFetch(origin, direct);
  return globalThis.process?.versions?.node === undefined ? overFetch(origin, {}) : overNode(origin);
}

/** @param socketPath the path of the Unix socket; works on Node and Bun */
export function overSocket(socketPath: string): Transport {
  // The signer accepts any loopback name on the socket.
  const origin = 'http://localhost';
  if ('Bun' in globalThis) return overFetch(origin, { ...direct, unix: socketPath });
  return overNode(origin, socketPath);
}

function overNode(origin: string, socketPath?: string): Transport {
  const node = import('./over-node-http.ts').then(({ overNodeHttp }) => overNodeHttp(origin, socketPath));
  // On a runtime without node:http, the first request rejects with this error.
  node.catch(() => undefined);
  return async (request) => (await node)(request);
}

/** @param runtimeOptions options that only this runtime's fetch knows */
function overFetch(origin: string, runtimeOptions: object): Transport {
  return async ({ path, ...init }) => {
    // The fetch of browsers and edge runtimes requires `duplex` if the body is a stream.
    const options: object = { ...init, ...runtimeOptions, duplex: 'half', redirect: 'manual' };
    const response = await fetch(origin + path, options);
    return {
      status: response.status,
      retryAfter: response.headers.get('retry-after'),
      body: await readBody(response.body ?? []),
    };
  };
}
