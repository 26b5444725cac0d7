/**
 * The one place that opens a listener. Bounds the number of requests at work, applies the guard, and stops without
 * losing a request that has begun.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { Guard } from './guard.ts';
import { asSignerError, overloaded, problemResponse } from './problem.ts';

/** Where to listen: a TCP address (port 0 for any free one) or the path of a Unix socket. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

export interface ListenOptions {
  readonly address: Address;
  /** Built once the port is known. */
  readonly guard?: (port: number | undefined) => Guard;
  readonly handle: (request: Request) => Response | Promise<Response>;
}

export interface Listener {
  /** The TCP port; undefined for a Unix socket. */
  readonly port: number | undefined;
  /** Takes no new connections, lets requests at work finish for at most `graceMs`, then closes what is left. */
  stop(graceMs: number): Promise<void>;
}

/** More than a neighbour's connection pool ever has at work; beyond it, an honest refusal is quicker than a queue. */
const maxPendingRequests = 1024;
const maxHeaders = 64;
/** Seconds without a byte after which a connection is closed. */
const idleTimeoutSeconds = 5;
/** A kept-alive connection may have a request under way when the listener stops; this long it is waited for. */
const quietMs = 100;

/** @throws {Error} with code `EADDRINUSE` and the like when the address cannot be had */
export function listen({ address, guard: createGuard, handle }: ListenOptions): Listener {
  let stopping = false;
  let guard: Guard | undefined;

  const admit = (request: Request, pending: number): Response | Promise<Response> => {
    if (request.headers.count > maxHeaders) return bare(431);
    if (request.method === 'CONNECT') return bare(405);
    if (pending > maxPendingRequests) return problemResponse(overloaded());
    try {
      guard?.(request);
    } catch (error) {
      return problemResponse(asSignerError(error));
    }
    return handle(request);
  };

  const server = Bun.serve({
    ...endpoint(address),
    // The runtime would share the port with another process of the same user, and split its requests.
    reusePort: false,
    development: false,
    idleTimeout: idleTimeoutSeconds,
    // Bodies are bounded by their readers, which know what each path may take.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch: (request, { pendingRequests }) => {
      const response = admit(request, pendingRequests);
      return stopping ? lastOnConnection(response) : response;
    },
    error: (error) => problemResponse(asSignerError(error)),
  });
  guard = createGuard?.(server.port);

  const stop = async (graceMs: number) => {
    stopping = true;
    const deadline = performance.now() + graceMs;
    void server.stop(false);
    let quietSince = performance.now();
    while (performance.now() < deadline && performance.now() - quietSince < quietMs) {
      await delay(10);
      if (server.pendingRequests > 0) quietSince = performance.now();
    }
    await server.stop(true);
  };

  return { port: server.port, stop };
}

/** Bun's types know no idle time-out on a Unix socket; its runtime does. */
function endpoint(address: Address): { hostname: string; port: number } {
  if (!('path' in address)) return { hostname: address.host, port: address.port };
  const unix: object = { unix: address.path };
  return unix as ReturnType<typeof endpoint>;
}

/** Answered as the runtime's own parser does: without a body, and without another request on this connection. */
function bare(status: number): Response {
  return new Response(null, { status, headers: { connection: 'close' } });
}

async function lastOnConnection(response: Response | Promise<Response>): Promise<Response> {
  const last = await response;
  last.headers.set('connection', 'close');
  return last;
}
