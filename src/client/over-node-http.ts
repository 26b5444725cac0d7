/** Carries requests by `node:http`, because Node's fetch cannot use a Unix socket, and can be told to use a proxy. */

import { Agent, type ClientRequest, request as httpRequest } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import { readBody, type Transport } from './transport.ts';

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
      const onClose = (): void => reject(new Error('the connection was closed before an answer came'));
      const request = httpRequest(
        origin,
        { socketPath, path, method, headers, agent, signal },
        (response) => {
          request.off('close', onClose);
          readBody(response)
            .then(
              (received) =>
                resolve({
                  status: response.statusCode ?? 0,
                  retryAfter: response.headers['retry-after'] ?? null,
                  body: received,
                }),
              reject,
            )
            // The signer answered before it received the whole message: stop sending.
            .finally(() => request.writableFinished || request.destroy());
        },
      );
      // Stays for the life of the request: an `error` event without a listener ends the process.
      request.on('error', reject);
      // The client asks for no upgrade. After one, neither the signal nor another event would end the request.
      request.on('upgrade', ({ statusCode = 0 }, socket) => {
        socket.destroy();
        request.destroy();
        resolve({ status: statusCode, retryAfter: null, body: new Uint8Array(0) });
      });
      request.on('close', onClose);
      if (!(body instanceof ReadableStream)) return request.end(body);
      return onConnection(request, () => {
        try {
          // If the message or the request fails, `pipeline` destroys the other one.
          pipeline(Readable.fromWeb(body as never), request, (error) => error && reject(error));
        } catch (error) {
          // The stream is locked.
          request.destroy(error as Error);
        }
      });
    });
}

function onConnection(request: ClientRequest, act: () => void): void {
  request.once('socket', (socket) => {
    if (socket.connecting) socket.once('connect', act);
    else act();
  });
}
