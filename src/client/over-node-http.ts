/** Carries requests by `node:http`, because Node's fetch cannot use a Unix socket, and can be told to use a proxy. */

import { Agent, request as httpRequest } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Transport } from './transport.ts';

/** The signer closes an idle connection after 4 seconds or more. The client stops using it before that. */
const idleMs = 3000;

/**
 * @param origin such as `http://127.0.0.1:8700`
 * @param socketPath the path of a Unix socket to connect to instead
 */
export function overNodeHttp(origin: string, socketPath?: string): Transport {
  // Not the global agent: the environment or the application can give it a proxy.
  const agent = new Agent({ keepAlive: true, timeout: idleMs });
  return ({ path, method, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      // A request whose signal is already aborted never reads the stream, and would leave it open.
      if (body instanceof ReadableStream && signal.aborted) {
        reject(signal.reason);
        return body.cancel(signal.reason).catch(() => undefined);
      }
      // Before the request is created, because this throws if the stream is locked.
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
            // The signer answered before it received the whole message: stop sending.
            .finally(() => request.writableFinished || request.destroy());
        },
      );
      // Stays for the life of the request: an `error` event without a listener ends the process.
      request.on('error', reject);
      if (!(message instanceof Readable)) return request.end(message);
      // If the message or the request fails, `pipeline` destroys the other one.
      return pipeline(message, request, (error) => error && reject(error));
    });
}
