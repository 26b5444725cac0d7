/** The client: the connection to a signer, the time limit of a call, and its retries. */

import type { Formats, KeySetDescription } from '../api/messages.ts';
import { errorOf, SignerError } from './error.ts';
import { type Call, type CallOptions, createKeySet, type KeySet } from './key-set.ts';
import { overSocket, overTcp } from './over-fetch.ts';
import { parseAnswer, type Received, type Sent, type Transport } from './transport.ts';

export interface ClientOptions {
  /**
   * The address of the signer. Node and Bun connect to it directly, without a proxy. Default: `http://127.0.0.1:8700`.
   */
  readonly url?: string | undefined;
  /** The path of the signer's Unix socket, which is used instead of `url`. Works on Node and Bun. */
  readonly socketPath?: string | undefined;
  /** The most milliseconds that a call may take, retries included. Default: 5000. */
  readonly timeoutMs?: number | undefined;
  /** How often a call is retried if the signer answers 503 with `Retry-After`. Nothing else is retried. Default: 2. */
  readonly retries?: number | undefined;
}

/** Timers of the runtimes fire at once if the time is longer. */
const maxTimeoutMs = 2 ** 31 - 1;

/**
 * Calls a signer.
 * @example
 * const signer = new SignerClient();
 * const orders = signer.keySet('orders', 'raw');
 * const { signature } = await orders.sign({ message: 'hello' });
 * const { valid } = await orders.verify({ message: 'hello', signature });
 */
export class SignerClient {
  /** For error messages. */
  readonly #address: string;
  readonly #transport: Transport;
  readonly #timeoutMs: number;
  readonly #retries: number;

  /**
   * Does not connect yet.
   * @throws {TypeError} if `url` or `socketPath` is not an address
   * @throws {RangeError} if `timeoutMs` or `retries` is out of range
   */
  constructor({
    url = 'http://127.0.0.1:8700',
    socketPath,
    timeoutMs = 5000,
    retries = 2,
  }: ClientOptions = {}) {
    // The runtimes would connect to port 80 on this machine.
    if (socketPath === '') {
      throw new TypeError(
        '"socketPath" option is empty; give the path of a socket, or leave it out for "url"',
      );
    }
    if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > maxTimeoutMs) {
      throw new RangeError(`"timeoutMs" option must be whole milliseconds from 1 to ${maxTimeoutMs}`);
    }
    if (!Number.isInteger(retries) || retries < 0) {
      throw new RangeError('"retries" option must be a whole number, 0 or more');
    }
    this.#address = socketPath ?? originOf(url);
    this.#transport = socketPath === undefined ? overTcp(this.#address) : overSocket(socketPath);
    this.#timeoutMs = timeoutMs;
    this.#retries = retries;
  }

  /**
   * Selects a key set. Sends nothing, so an unknown name is reported by the first call, with the code `unknown_key`.
   * @param name the name of the key set in the signer's configuration
   * @param format the format that the configuration gives to it, which decides the types of requests and answers
   */
  keySet<F extends keyof Formats>(name: string, format: F): KeySet<F> {
    return createKeySet(this.#call, name, format);
  }

  /**
   * Returns all key sets that the signer has loaded.
   * @throws {SignerError} with one of {@link SignerErrorCode}
   */
  async keySets(options?: CallOptions): Promise<readonly KeySetDescription[]> {
    const { keys } = await this.#call<{ keys: readonly KeySetDescription[] }>(
      { path: '/v1/keys', method: 'GET', headers: {} },
      options,
    );
    return keys;
  }

  readonly #call: Call = async <A>(
    request: Omit<Sent, 'signal'>,
    { signal }: CallOptions = {},
  ): Promise<A> => {
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    const ends = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    const sent = { ...request, headers: { 'sec-signer': '1', ...request.headers }, signal: ends };
    const deadline = Date.now() + this.#timeoutMs;
    // The first attempt consumes a stream, so it cannot be sent again.
    const retries = request.body instanceof ReadableStream ? 0 : this.#retries;
    for (let left = retries; ; left--) {
      const received = await this.#send(sent, timeout, signal);
      const answer = parseAnswer(received.text);
      if (received.status === 200 && answer !== undefined) return answer as A;
      const error = errorOf(received.status, received.retryAfter, answer);
      const waitMs = (error.retryAfterSeconds ?? Number.NaN) * 1000;
      const isRetried = received.status === 503 && left > 0 && Date.now() + waitMs < deadline;
      if (!isRetried) throw error;
      await pause(waitMs, ends);
    }
  };

  async #send(sent: Sent, timeout: AbortSignal, signal: AbortSignal | undefined): Promise<Received> {
    try {
      return await this.#transport(sent);
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      if (timeout.aborted) {
        const message = `the signer gave no answer within ${this.#timeoutMs} ms`;
        throw new SignerError('no_answer_in_time', message, { cause });
      }
      const orStream = sent.body instanceof ReadableStream ? ', or the stream of the message failed' : '';
      const message = `the signer cannot be reached at ${this.#address}${orStream}; check that it runs, and the url or the socketPath`;
      throw new SignerError('unreachable', message, { cause });
    }
  }
}

/** @throws {TypeError} if it is not the address of a server */
function originOf(url: string): string {
  const { protocol, pathname, search, origin } = URL.parse(url) ?? {};
  if (origin === undefined || protocol !== 'http:' || pathname !== '/' || search !== '') {
    throw new TypeError('"url" option must be like http://127.0.0.1:8700');
  }
  return origin;
}

/** Waits. Rejects with the reason of the signal if it is aborted first. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      if (signal.aborted) reject(signal.reason);
      else resolve();
    }
  });
}
