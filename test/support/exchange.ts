/** Requests by node:http, for what fetch cannot do: a Unix socket, a connection of one's own, a body in parts. */

import { type Agent, type ClientRequest, type IncomingHttpHeaders, request } from 'node:http';

/** An origin such as `http://127.0.0.1:40123`, or the path of a Unix socket. */
export type Target = string | { readonly socketPath: string };

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A request whose body is still to be written, and the answer to it. */
export interface Exchange {
  readonly request: ClientRequest;
  readonly answer: Promise<Answer>;
}

export interface ExchangeOptions {
  readonly agent?: Agent;
  readonly headers?: Readonly<Record<string, string | number>>;
}

/** Sends the head of a POST with what the guard requires; without a Content-Length the body is chunked. */
export function begin(target: Target, path: string, { agent, headers }: ExchangeOptions = {}): Exchange {
  const to = typeof target === 'string' ? originOptions(target) : target;
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const sending = request({
    ...to,
    path,
    method: 'POST',
    headers: { 'sec-signer': '1', 'content-type': 'application/octet-stream', ...headers },
    // An agent of its own for each request, unless the caller shares one: its connection ends with it.
    agent: agent ?? false,
  });
  sending.on('error', reject);
  sending.on('response', (response) => {
    const parts: Buffer[] = [];
    response.on('data', (part: Buffer) => parts.push(part));
    response.on('error', reject);
    response.on('end', () => {
      const { statusCode: status = 0, headers: received } = response;
      const text = Buffer.concat(parts).toString();
      resolve({ status, headers: received, body: text === '' ? {} : JSON.parse(text) });
    });
  });
  return { request: sending, answer: promise };
}

/** One whole request: bytes as the message itself, anything else as JSON. */
export function post(
  target: Target,
  path: string,
  body: Uint8Array | object,
  options: ExchangeOptions = {},
): Promise<Answer> {
  const raw = body instanceof Uint8Array;
  const payload = raw ? body : Buffer.from(JSON.stringify(body));
  const headers = {
    'content-type': raw ? 'application/octet-stream' : 'application/json',
    'content-length': payload.length,
    ...options.headers,
  };
  const exchange = begin(target, path, { ...options, headers });
  exchange.request.end(payload);
  return exchange.answer;
}

/** Writes a part of the body; resolves when it has left this process. */
export function write({ request: sending }: Exchange, part: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => {
    sending.write(part, (error) => (error ? reject(error) : resolve()));
  });
}

function originOptions(origin: string): { host: string; port: string } {
  const { hostname, port } = new URL(origin);
  return { host: hostname, port };
}
