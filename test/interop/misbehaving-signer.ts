/** A server in the place of the signer that signs as it should, but verifies in a way that no client should trust. */

import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What `detail` says in each refusal. */
export const detail = 'what to do about "this"';

/** Answers one request to verify; `count` says which it is. */
export type Misbehaviour = (response: ServerResponse, count: number) => void;

export function answer(status: number, body: string, headers: Record<string, string> = {}): Misbehaviour {
  return (response) => {
    // Without a length of its own the answer would be chunked.
    response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers }).end(body);
  };
}

export function refuse(status: number, headers: Record<string, string> = {}): Misbehaviour {
  const body = JSON.stringify({ type: 'about:blank', title: 'Refused', status, detail, code: 'refused' });
  return answer(status, body, { 'content-type': 'application/problem+json', ...headers });
}

/** Sends the beginning of an answer, and then closes the connection or, with `stall`, nothing more. */
export function cutOff(body: string, ending: 'close' | 'stall', length = 500): Misbehaviour {
  return (response) => {
    response.writeHead(200, { 'content-length': length }).write(body, () => {
      if (ending === 'close') setTimeout(() => response.destroy(), 50);
    });
  };
}

export interface MisbehavingSigner extends AsyncDisposable {
  readonly url: string;
  /** The requests to verify so far. */
  count(): number;
}

/** @param socket listens there too */
export async function startMisbehaving(verify: Misbehaviour, socket: string): Promise<MisbehavingSigner> {
  let count = 0;
  const servers: Server[] = [];
  for (const at of [{ port: 0, host: '127.0.0.1' }, { path: socket }]) {
    const server = createServer((request, response) => {
      request.resume().on('end', () => {
        const signed = {
          headers: { 'X-Hub-Signature-256': `sha256=${'0'.repeat(64)}` },
          keyId: '0'.repeat(16),
        };
        if (request.url?.endsWith('/sign')) return answer(200, JSON.stringify(signed))(response, 0);
        count += 1;
        verify(response, count);
      });
    });
    servers.push(server.listen(at));
    await once(server, 'listening');
  }
  const [{ port } = { port: 0 }] = servers.map((server) => server.address() as AddressInfo);
  return {
    url: `http://127.0.0.1:${port}`,
    count: () => count,
    [Symbol.asyncDispose]: async () => {
      for (const server of servers) {
        const closed = once(server.close(), 'close');
        server.closeAllConnections();
        await closed;
      }
    },
  };
}
