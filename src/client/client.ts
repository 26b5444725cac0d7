/** The client: typed calls to a signer, bounded in time, tried again only where the signer asks for it. */

import type { Problem } from '../api/errors.ts';
import { maxJsonBytes, maxJsonBytesBesideStream, streamed } from '../api/limits.ts';
import type { Formats, KeySetDescription, TenantRequest, Verification } from '../api/messages.ts';
import { parseAnswer } from './answer.ts';
import { errorOf, SignerError } from './error.ts';
import { overSocket, overTcp } from './over-fetch.ts';
import { isSignatureText } from './signature-text.ts';
import type { Received, Sent, Transport } from './transport.ts';

export interface ClientOptions {
  /** Where the signer listens; reached without a proxy on Node and Bun. Default `http://127.0.0.1:8700`. */
  readonly url?: string | undefined;
  /** The path of its Unix socket, in place of `url` (Node and Bun). */
  readonly socketPath?: string | undefined;
  /** Milliseconds for a call with all its tries. Default 5000. */
  readonly timeoutMs?: number | undefined;
  /** How often a call is tried again when the signer answers 503 with `Retry-After`. Default 2. */
  readonly retries?: number | undefined;
}

export interface CallOptions {
  /** Ends the call early, with the signal's own reason. */
  readonly signal?: AbortSignal | undefined;
}

/** An item's answer, or why there is none; `reference` as it was sent. */
export type BatchResult<Answer> = (Answer | { readonly error: Problem }) & { readonly reference?: string };

/** A message as it is, of any length. */
export type Message = Uint8Array | ReadableStream<Uint8Array>;

/** A request, with the tenant whose key is meant where the key set derives its keys. */
type ForTenant<Request> = Request & TenantRequest;
type WithReference<Request> = ForTenant<Request> & { readonly reference?: string };

/**
 * One key set, with the types of its format. A call that fails rejects with a {@link SignerError}; one that its signal
 * ends rejects with the signal's own reason.
 */
export interface KeySet<F extends keyof Formats> {
  sign(request: ForTenant<Formats[F]['sign']>, options?: CallOptions): Promise<Formats[F]['signature']>;
  verify(
    request: ForTenant<Formats[F]['verify']>,
    options?: CallOptions,
  ): Promise<Formats[F]['verification']>;
  /** At most 1,000 items, and 1 MiB of JSON; the results are in their order. */
  signBatch(
    items: readonly WithReference<Formats[F]['sign']>[],
    options?: CallOptions,
  ): Promise<readonly BatchResult<Formats[F]['signature']>[]>;
  verifyBatch(
    items: readonly WithReference<Formats[F]['verify']>[],
    options?: CallOptions,
  ): Promise<readonly BatchResult<Formats[F]['verification']>[]>;
  /** Signs a message that is sent as it is (raw and webhook formats, for no tenant). A stream is sent once, and never again. */
  signMessage(message: Message, options?: CallOptions): Promise<Formats[F]['signature']>;
  /** Verifies such a message (raw). */
  verifyMessage(message: Message, signature: string, options?: CallOptions): Promise<Verification>;
  describe(options?: CallOptions): Promise<KeySetDescription>;
}

const json = { 'content-type': 'application/json' };
const octets = { 'content-type': 'application/octet-stream' };

interface JsonBound {
  readonly maxBytes: number;
  readonly advice: string;
}

const ofBatch: JsonBound = { maxBytes: maxJsonBytes, advice: 'send fewer items at once' };
const alone: JsonBound = { maxBytes: maxJsonBytes, advice: 'send less' };
const besideStream: Readonly<Record<'sign' | 'verify', JsonBound>> = {
  sign: { maxBytes: maxJsonBytesBesideStream, advice: 'send the message by signMessage, or in a batch' },
  verify: { maxBytes: maxJsonBytesBesideStream, advice: 'send the message by verifyMessage, or in a batch' },
};

/** A timer of a longer time fires at once. */
const maxTimeoutMs = 2 ** 31 - 1;

/**
 * @example
 * const signer = new SignerClient();
 * const { signature } = await signer.keySet('orders', 'raw').sign({ message: 'hello' });
 */
export class SignerClient {
  /** For messages. */
  readonly #address: string;
  readonly #transport: Transport;
  readonly #timeoutMs: number;
  readonly #retries: number;

  /** @throws {TypeError | RangeError} when an option is not usable */
  constructor({
    url = 'http://127.0.0.1:8700',
    socketPath,
    timeoutMs = 5000,
    retries = 2,
  }: ClientOptions = {}) {
    // As an address it would be port 80 of this machine.
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

  /** The key set of this name, which the signer's configuration gives this format. Sends nothing yet. */
  keySet<F extends keyof Formats>(name: string, format: F): KeySet<F> {
    const base = `/v1/keys/${encodeURIComponent(name)}`;
    const post = async <A>(operation: string, request: object, bound: JsonBound, options?: CallOptions) => {
      const body = encode(request, bound);
      return await this.#call<A>(
        { path: `${base}/${operation}`, method: 'POST', headers: json, body },
        options,
      );
    };
    const bound = (operation: 'sign' | 'verify', { tenant }: TenantRequest) =>
      tenant === undefined && streamed[operation].includes(format) ? besideStream[operation] : alone;
    const send = <A>(operation: string, body: Message, headers: object, options?: CallOptions) =>
      this.#call<A>(
        { path: `${base}/${operation}`, method: 'POST', headers: { ...octets, ...headers }, body },
        options,
      );
    const results = async <A>(batch: Promise<{ results: readonly BatchResult<A>[] }>) =>
      (await batch).results;
    return {
      sign: (request, options) => post('sign', request, bound('sign', request), options),
      verify: (request, options) => post('verify', request, bound('verify', request), options),
      signBatch: (items, options) => results(post('sign-batch', { items }, ofBatch, options)),
      verifyBatch: (items, options) => results(post('verify-batch', { items }, ofBatch, options)),
      signMessage: (message, options) => send('sign', message, {}, options),
      verifyMessage: async (message, signature, options) => {
        if (isSignatureText(signature))
          return await send('verify', message, { 'sec-signer-signature': signature }, options);
        if (message instanceof ReadableStream) await message.cancel();
        return { valid: false, reason: 'malformed' };
      },
      describe: (options) => this.#call({ path: base, method: 'GET', headers: {} }, options),
    };
  }

  /** Every key set that is loaded. */
  async keySets(options?: CallOptions): Promise<readonly KeySetDescription[]> {
    const { keys } = await this.#call<{ keys: readonly KeySetDescription[] }>(
      { path: '/v1/keys', method: 'GET', headers: {} },
      options,
    );
    return keys;
  }

  async #call<A>(request: Omit<Sent, 'signal'>, { signal }: CallOptions = {}): Promise<A> {
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    const ends = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    const sent = { ...request, headers: { 'sec-signer': '1', ...request.headers }, signal: ends };
    const deadline = Date.now() + this.#timeoutMs;
    // A stream is used up by its first try.
    const tries = request.body instanceof ReadableStream ? 0 : this.#retries;
    for (let left = tries; ; left--) {
      const received = await this.#send(sent, timeout, signal);
      const answer = parseAnswer(received.text);
      if (received.status === 200 && answer !== undefined) return answer as A;
      const error = errorOf(received.status, received.retryAfter, answer);
      const waitMs = (error.retryAfterSeconds ?? Number.NaN) * 1000;
      const again = received.status === 503 && left > 0 && Date.now() + waitMs < deadline;
      if (!again) throw error;
      await pause(waitMs, ends);
    }
  }

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

/** @throws {TypeError} when it is not the address of a server */
function originOf(url: string): string {
  const { protocol, pathname, search, origin } = URL.parse(url) ?? {};
  if (origin === undefined || protocol !== 'http:' || pathname !== '/' || search !== '') {
    throw new TypeError('"url" option must be like http://127.0.0.1:8700');
  }
  return origin;
}

/**
 * The JSON of a request or a batch. The signer would break off one that is too long, which may look like an outage.
 * @throws {SignerError} `message_too_large`
 */
function encode(request: object, { maxBytes, advice }: JsonBound): Uint8Array {
  const bytes = new TextEncoder().encode(JSON.stringify(request));
  if (bytes.length <= maxBytes) return bytes;
  const message = `this request as JSON has at most ${maxBytes} bytes; ${advice}`;
  throw new SignerError('message_too_large', message, { status: 413 });
}

/** Rejects with the signal's reason when it ends the wait. */
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
