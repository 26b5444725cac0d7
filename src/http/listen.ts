/**
 * The one place that opens a listener. Bounds the number of requests at work, applies the guard, and stops without
 * losing a request that has begun.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { Guard } from './guard.ts';
import { asSignerError, overloaded, problemResponse } from './problem.ts';

/** Where to listen: a TCP address (port 0 for any free one) or the path of a Unix socket. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

/** Answers a request that has passed the guard. */
export type Handler = (request: Request) => Response | Promise<Response>;

export interface ListenOptions {
  readonly address: Address;
  /** Built once the port is known. */
  readonly guard?: (port: number | undefined) => Guard;
  readonly handle: Handler;
  /** Told of an error that is a fault of the signer. */
  readonly onFault: (error: unknown) => void;
  /** Told the HTTP status of each answer. */
  readonly onAnswer?: (status: number) => void;
}

export interface Listener {
  /** The TCP port; undefined for a Unix socket. */
  readonly port: number | undefined;
  /**
   * Ends each connection in use with its next answer, takes no new ones, lets requests at work finish, and after at
   * most `graceMs` closes what is left.
   */
  stop(graceMs: number): Promise<void>;
}

/** More than a neighbour's connection pool ever has at work; beyond it, an honest refusal is quicker than a queue. */
const maxPendingRequests = 1024;
const maxHeaders = 64;
/** Several times the longest URL there is: a name of 253 characters, an operation, and the longest Host. */
const maxUrlLength = 2048;
/** Seconds without a byte after which a connection is closed. */
const idleTimeoutSeconds = 5;
/** A listener that stops goes on until no request has come for this long: each connection in use has then had its last answer. */
const quietMs = 100;
/** New connections could keep it from ever being quiet; it stops nevertheless. */
const quietWithinMs = 1000;

/** @throws {Error} with code `EADDRINUSE` and the like when the address cannot be had */
export function listen(options: ListenOptions): Listener {
  const { address, guard: createGuard, handle, onFault, onAnswer } = options;
  let stopping = false;
  let lastRequestAt = 0;
  let guard: Guard | undefined;

  const admit = (request: Request, pending: number): Response | Promise<Response> => {
    if (request.url.length > maxUrlLength) return bare(414);
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
    fetch: async (request, { pendingRequests }) => {
      if (stopping) lastRequestAt = performance.now();
      const response = await admit(request, pendingRequests);
      // RFC 9112 §9.6. Asked last: the stop may have come while the request was at work.
      if (stopping) response.headers.set('connection', 'close');
      onAnswer?.(response.status);
      return response;
    },
    error: (error) => {
      onFault(error);
      return problemResponse(asSignerError(error));
    },
  });
  guard = createGuard?.(server.port);

  const stop = async (graceMs: number) => {
    stopping = true;
    lastRequestAt = performance.now();
    const deadline = lastRequestAt + graceMs;
    // The runtime closes idle connections as it stops, and with them loses requests that are on their way.
    const isQuiet = () => performance.now() - lastRequestAt >= quietMs;
    await until(isQuiet, Math.min(deadline, lastRequestAt + quietWithinMs));
    void server.stop(false);
    await until(() => server.pendingRequests === 0, deadline);
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

/** Resolves when the condition holds, or at the deadline. */
async function until(condition: () => boolean, deadline: number): Promise<void> {
  while (!condition() && performance.now() < deadline) await delay(10);
}
