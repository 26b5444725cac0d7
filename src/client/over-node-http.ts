/** Node's http client. Its fetch reaches no Unix socket, and can be made to go through a proxy. */

import { Agent, request as httpRequest } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Transport } from './transport.ts';

/** Shorter than the signer keeps an idle connection (4 s at the least), so that none is used as it is being closed. */
const idleMs = 3000;

/**
 * @param origin such as `http://127.0.0.1:8700`
 * @param socketPath to connect to in its place
 */
export function overNodeHttp(origin: string, socketPath?: string): Transport {
  // Of its own: the environment and the application can give the global one a proxy.
  const agent = new Agent({ keepAlive: true, timeout: idleMs });
  return ({ path, method, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      // A request that has ended before it began takes no message, and would leave it open.
      if (body instanceof ReadableStream && signal.aborted) {
        reject(signal.reason);
        return body.cancel(signal.reason).catch(() => undefined);
      }
      // Made first: it throws for a stream that somebody else reads.
      const message = body instanceof ReadableStream ? Readable.fromWeb(body as never) : body;
      const request = httpRequest(
        origin,
        { socketPath, path, method, headers, agent, signal },
        (response) => {
          text(response)
            .then(
              (received) =>
                resolve({
                  status: response.statusCode ?? 0,
                  retryAfter: response.headers['retry-after'] ?? null,
                  text: received,
                }),
              reject,
            )
            // Answered before the message was sent, it needs no more of it.
            .finally(() => request.writableFinished || request.destroy());
        },
      );
      // For good: an error that nobody listens to would end the application.
      request.on('error', reject);
      if (!(message instanceof Readable)) return request.end(message);
      // Of the two, each that fails ends the other one.
      return pipeline(message, request, (error) => error && reject(error));
    });
}
