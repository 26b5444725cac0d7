/**
 * Opens listeners. Limits the number of concurrent requests, applies the guard, and shuts down gracefully: no request that
 * has started is lost.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { Guard } from './guard.ts';
import type { MediaType } from './media.ts';
import { pathOf } from './paths.ts';
import { asSignerError, overloaded, problemResponse } from './problem.ts';
import { createReadOn } from './read-on.ts';

/** Where to listen: a TCP address (port 0 for any free one) or the path of a Unix socket. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

/** Answers requests that have passed the guard, which has also told what the body is. */
export type Handler = (
  request: Request,
  path: string,
  mediaType: MediaType | undefined,
) => Response | Promise<Response>;

export interface ListenOptions {
  readonly address: Address;
  /** Called when the port is known. */
  readonly guard?: (port: number | undefined) => Guard;
  readonly handle: Handler;
  /** Told of an error that is a fault of the signer. */
  readonly onFault: (error: unknown) => void;
  /** Told of each request, also of one that the guard will refuse. */
  readonly onRequest?: (request: Request) => void;
  /** Told the HTTP status of each answer. */
  readonly onAnswer?: (status: number, request: Request) => void;
  /** Close a connection after one answer. Otherwise it is kept, and closed now and then; see `createClosing`. */
  readonly closesEach?: boolean;
}

export interface Listener {
  /** The TCP port; undefined for a Unix socket. */
  readonly port: number | undefined;
  /**
   * Shuts down gracefully: closes each connection in use after its next answer, accepts no new connection, waits for
   * running requests, and after at most `graceMs` closes the rest.
   */
  stop(graceMs: number): Promise<void>;
}

/** More than the connection pool of an application has. Beyond it, a refusal is better than a long queue. */
const maxPendingRequests = 1024;
const maxHeaders = 64;
/** A connection that is kept closes after so many answers on average. */
const answersPerConnection = 1000;
/** Answers in one turn of the event loop. An application has fewer connections, so that more of them were pipelined. */
const maxAnswersPerTurn = 512;
/** Several times the longest URL: a name of 253 characters, an operation, and the longest Host. */
const maxUrlLength = 2048;
/** Seconds without a byte after which a connection is closed. */
const idleTimeoutSeconds = 5;
/** While it shuts down, a listener waits until no request has come for this long. Then no connection is in use. */
const quietMs = 100;
/** The longest such wait, in case requests never stop coming. */
const quietWithinMs = 1000;

/** @throws {Error} with code `EADDRINUSE` and the like when the address cannot be used */
export function listen(options: ListenOptions): Listener {
  const { address, guard: createGuard, handle, onFault, onRequest, onAnswer, closesEach } = options;
  const isLast = closesEach ? () => true : createClosing();
  let stopping = false;
  let lastRequestAt = 0;
  let guard: Guard | undefined;
  const readOn = createReadOn();

  const admit = (request: Request, pending: number): Response | Promise<Response> => {
    if (request.url.length > maxUrlLength) return bare(414);
    if (request.headers.count > maxHeaders) return bare(431);
    if (request.method === 'CONNECT') return bare(405);
    if (pending > maxPendingRequests) return problemResponse(overloaded());
    const path = pathOf(request);
    let mediaType: MediaType | undefined;
    try {
      mediaType = guard?.(request, path);
    } catch (error) {
      return problemResponse(asSignerError(error));
    }
    return handle(request, path, mediaType);
  };

  const server = Bun.serve({
    ...endpoint(address),
    // Otherwise another process of the same user could bind the port too, and get a part of the requests.
    reusePort: false,
    development: false,
    idleTimeout: idleTimeoutSeconds,
    // body.ts limits bodies, because the limit depends on the request.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch: async (request, { pendingRequests }) => {
      if (stopping) lastRequestAt = performance.now();
      onRequest?.(request);
      let response = await admit(request, pendingRequests);
      if (response.status >= 400) response = await readOn(request, response);
      // RFC 9112 §9.6. Check after the handler: shutdown may have begun while it ran.
      if (isLast() || stopping) response.headers.set('connection', 'close');
      onAnswer?.(response.status, request);
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
    // When the runtime stops, it closes idle connections, and loses requests that are on their way.
    const isQuiet = () => performance.now() - lastRequestAt >= quietMs;
    await until(isQuiet, Math.min(deadline, lastRequestAt + quietWithinMs));
    void server.stop(false);
    await until(() => server.pendingRequests === 0, deadline);
    await server.stop(true);
  };

  return { port: server.port, stop };
}

/**
 * Decides which answers close their connection. The runtime does not say which connection a request came on, so a caller
 * that pipelines requests and reads no answer cannot be told from others. Closing at random ends each such connection
 * sooner or later, and many answers in one turn of the event loop end it at once, so that other callers get their turn.
 */
function createClosing(): () => boolean {
  const countFrom = maxAnswersPerTurn / 4;
  let answers = 0;
  const nextTurn = () => {
    answers = 0;
  };
  return () => {
    answers += 1;
    // To ask for the next turn costs something, so do it for few requests.
    if (answers === countFrom) setImmediate(nextTurn);
    // The random number protects nothing secret.
    return answers > maxAnswersPerTurn || Math.random() * answersPerConnection < 1;
  };
}

/** Bun's types do not allow an idle time-out on a Unix socket, but Bun does. */
function endpoint(address: Address): { hostname: string; port: number } {
  if (!('path' in address)) return { hostname: address.host, port: address.port };
  const unix: object = { unix: address.path };
  return unix as ReturnType<typeof endpoint>;
}

/** Answers like the runtime's own HTTP parser: no body, and the connection is closed. */
function bare(status: number): Response {
  return new Response(null, { status, headers: { connection: 'close' } });
}

/** Resolves when the condition holds, or at the deadline. */
async function until(condition: () => boolean, deadline: number): Promise<void> {
  while (!condition() && performance.now() < deadline) await delay(10);
}
