/** Requests as bytes, put on a real socket as they are; every byte that comes back is kept. */

import { connect, type NetConnectOpts, type Socket } from 'node:net';

/** Where a signer listens, and the value of `Host` that is served there. */
export interface Door {
  readonly at: NetConnectOpts;
  readonly host: string;
}

export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface Exchange {
  readonly bytes: Buffer;
  readonly answers: readonly Answer[];
  /** Whether the signer ended the connection, without being asked to. */
  readonly closed: boolean;
  readonly elapsedMs: number;
}

/** Bytes to send, each part in a write of its own. A string is one byte a character, so that it can hold any byte. */
export type Parts = string | Uint8Array | readonly (string | Uint8Array)[];

/** What differs from a request that is signed. A header is a whole line; null leaves it away. */
export interface Flaw {
  readonly line?: string;
  readonly method?: string;
  readonly target?: string;
  readonly host?: string | null;
  readonly caller?: string | null;
  readonly type?: string | null;
  readonly length?: string | null;
  readonly more?: readonly string[];
  readonly body?: string;
}

export const signPath = '/v1/keys/demo/sign';

/** The bytes of a POST that would be signed but for its flaw. */
export function request(to: Door, flaw: Flaw = {}): Buffer {
  const { method = 'POST', target = signPath, body = '{"message":"hello"}', more = [] } = flaw;
  const {
    line = `${method} ${target} HTTP/1.1`,
    host = `Host: ${to.host}`,
    caller = 'Sec-Signer: 1',
    type = 'Content-Type: application/json',
    length = `Content-Length: ${body.length}`,
  } = flaw;
  const head = [line, host, caller, type, length, ...more].filter((each) => each !== null);
  return Buffer.from([...head, '', body].join('\r\n'), 'latin1');
}

/** A body in one chunk. */
export function chunked(body: string): string {
  return `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
}

/** A JSON text with its UTF-8 bytes as characters, for a body. */
export function json(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('latin1');
}

/**
 * Exchanges the parts as `exchangeOnce` does. The signer closes a connection after an answer now and then, and says so in
 * the answer (RFC 9112 §9.6). Requests behind such an answer were not carried out, so that all of it is tried again.
 */
export async function exchange(to: Door, parts: Parts, expected = 1, withinMs = 30_000): Promise<Exchange> {
  for (;;) {
    const done = await exchangeOnce(to, parts, expected, withinMs);
    const last = done.answers.at(-1);
    const isCutShort = done.closed && done.answers.length < expected;
    if (!isCutShort || last?.status !== 200 || last.headers.get('connection') !== 'close') return done;
  }
}

/**
 * Sends the parts and reads until the signer closes. When `expected` answers are complete and none of them announces a
 * close, this side closes, and still reads to the end, so that an answer too many would be seen.
 */
export function exchangeOnce(to: Door, parts: Parts, expected: number, withinMs = 30_000): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const chunks: Buffer[] = [];
    let closed = true;
    let answeredMs: number | undefined;
    const socket = open(to);
    const timer = setTimeout(() => {
      socket.destroy();
      const received = JSON.stringify(Buffer.concat(chunks).toString('latin1').slice(0, 300));
      reject(new Error(`neither ${expected} answers nor a close within ${withinMs} ms, but ${received}`));
    }, withinMs);
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (answeredMs !== undefined) return;
      const answers = parseAnswers(Buffer.concat(chunks));
      if (answers.length < expected) return;
      answeredMs = performance.now() - started;
      if (answers.some(({ headers }) => headers.get('connection') === 'close')) return;
      closed = false;
      socket.end();
    });
    socket.once('close', () => {
      clearTimeout(timer);
      const bytes = Buffer.concat(chunks);
      const elapsedMs = answeredMs ?? performance.now() - started;
      resolve({ bytes, answers: parseAnswers(bytes), closed, elapsedMs });
    });
    for (const part of toBuffers(parts)) socket.write(part);
  });
}

/** A connection for what acts on it step by step. A reset is not thrown; `close` follows it. */
export function open(to: Door): Socket {
  const socket = connect(to.at);
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  return socket;
}

function toBuffers(parts: Parts): Buffer[] {
  const list = typeof parts === 'string' || parts instanceof Uint8Array ? [parts] : parts;
  return list.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part)));
}

/** Every complete answer in the bytes. */
export function parseAnswers(bytes: Buffer): readonly Answer[] {
  const answers: Answer[] = [];
  let offset = 0;
  for (;;) {
    const headEnd = bytes.indexOf('\r\n\r\n', offset);
    if (headEnd < 0) return answers;
    const [statusLine = '', ...lines] = bytes.toString('latin1', offset, headEnd).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
    const headers = new Map(lines.map(toHeader));
    const body =
      headers.get('transfer-encoding') === 'chunked'
        ? chunksAt(bytes, headEnd + 4)
        : bytesAt(bytes, headEnd + 4, Number(headers.get('content-length') ?? 0));
    if (body === undefined) return answers;
    answers.push({ status, headers, body: body.text });
    offset = body.end;
  }
}

/** A part of the bytes, and where it ends. */
interface Part {
  readonly text: string;
  readonly end: number;
}

/** Undefined if it is not complete. */
function bytesAt(bytes: Buffer, start: number, length: number): Part | undefined {
  const end = start + length;
  return end > bytes.length ? undefined : { text: bytes.toString('utf8', start, end), end };
}

/** A body in chunks, without extensions and trailers. */
function chunksAt(bytes: Buffer, start: number): Part | undefined {
  let text = '';
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const chunk = bytesAt(bytes, lineEnd + 2, size);
    if (chunk === undefined || chunk.end + 2 > bytes.length) return undefined;
    text += chunk.text;
    at = chunk.end + 2;
    if (size === 0) return { text, end: at };
  }
}

function toHeader(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}
