/** Node's http client on a Unix socket, which its fetch cannot reach. */

import { Agent, request as httpRequest } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Transport } from './transport.ts';

/** Shorter than the signer keeps an idle connection (5 s), so that none is used as it is being closed. */
const idleMs = 4000;

export function overNodeSocket(socketPath: string): Transport {
  const agent = new Agent({ keepAlive: true, timeout: idleMs });
  return ({ path, method, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const request = httpRequest(
        { socketPath, path, method, headers: { host: 'localhost', ...headers }, agent, signal },
        (response) => {
          text(response).then(
            (received) =>
              resolve({
                status: response.statusCode ?? 0,
                retryAfter: response.headers['retry-after'] ?? null,
                text: received,
              }),
            reject,
          );
        },
      );
      // For good: an error that nobody listens to would end the application.
      request.on('error', reject);
      if (!(body instanceof ReadableStream)) return request.end(body);
      // Of the two, each that fails ends the other one.
      return pipeline(Readable.fromWeb(body as never), request, (error) => error && reject(error));
    });
}
