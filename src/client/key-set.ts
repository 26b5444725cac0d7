/** The calls to one key set, with the types of its format. */

import type { Problem } from '../api/errors.ts';
import { maxJsonBytes, streamedFormats } from '../api/limits.ts';
import type {
  ChallengeAnswer,
  ChallengeRequest,
  Formats,
  HttpHeaders,
  KeySetDescriptionForCaller,
  Operation,
  TenantRequest,
} from '../api/messages.ts';
import { hasResults, isAnswerTo } from './answer.ts';
import { SignerError } from './error.ts';
import { headersOfSignature, headersOfTarget, type MessageTarget } from './message-headers.ts';
import { batchToJson, type HeaderPairs, toJson } from './request-json.ts';
import type { Sent } from './transport.ts';

export interface CallOptions {
  /** Ends the call when it is aborted. The call then rejects with the reason of the signal. */
  readonly signal?: AbortSignal | undefined;
}

/** The answer to one item of a batch, or the error of that item. `reference` is the one that you sent with the item. */
export type BatchResult<Answer> = (Answer | { readonly error: Problem }) & { readonly reference?: string };

/** The bytes of a message, of any length. A stream is read once. */
export type Message = Uint8Array | ReadableStream<Uint8Array>;

/**
 * A request. `headers` may also be `Headers`, a `Map`, or another iterable of names and values. If the key set derives a
 * key for each tenant, `tenant` selects the key.
 */
type ForTenant<Fields> = TenantRequest & {
  [Name in keyof Fields]: Name extends 'headers' ? Fields[Name] | HeaderPairs : Fields[Name];
};

/** An item of a batch. `reference` is any text of at most 256 characters, and comes back with the result. */
type WithReference<Request> = ForTenant<Request> & { readonly reference?: string };

/**
 * One key set, with the types of its format.
 *
 * All methods reject with a {@link SignerError}, whose `code` is one of {@link SignerErrorCode}. If you abort a call by its
 * signal, it rejects with the reason of the signal instead. If JSON cannot hold a value of the request, such as `NaN` or a
 * `Date`, it rejects with a `TypeError` that names the value's place.
 */
export interface KeySet<F extends keyof Formats> {
  /**
   * Signs one message with the primary key.
   * @throws {SignerError} with the code `operation_not_allowed`, `malformed_request`, `unprocessable`,
   * `message_too_large`, `rate_limited` or another one of {@link SignerErrorCode}
   * @example
   * const { headers } = await signer.keySet('hooks', 'standard-webhooks').sign({ body });
   * await fetch(url, { method: 'POST', headers, body });
   */
  sign(request: ForTenant<Formats[F]['sign']>, options?: CallOptions): Promise<Formats[F]['signature']>;
  /**
   * Verifies one signature with every key of the key set. A wrong signature does not throw.
   * @returns `{ valid: true, keyId, primary }` and what the signature proves, or `{ valid: false, reason }`
   * @throws {SignerError} with the code `operation_not_allowed`, `malformed_request`, `message_too_large`,
   * `rate_limited` or another one of {@link SignerErrorCode}
   * @example
   * const answer = await signer.keySet('session', 'jwt').verify({ token });
   * if (!answer.valid) return new Response(answer.reason, { status: 401 });
   * const { sub } = answer.claims;
   */
  verify(
    request: ForTenant<Formats[F]['verify']>,
    options?: CallOptions,
  ): Promise<Formats[F]['verification']>;
  /**
   * Signs up to 1,000 messages in one request of at most 1 MiB of JSON. An item can fail without the others.
   * @returns the results in the order of the items
   * @throws {SignerError} if the whole batch failed, with the code `message_too_large`, `malformed_request` or another
   * one of {@link SignerErrorCode}
   * @example
   * const items = orders.map(({ id, text }) => ({ message: text, reference: id }));
   * for (const result of await signer.keySet('orders', 'raw').signBatch(items)) {
   *   if ('error' in result) console.error(result.reference, result.error.detail);
   *   else console.log(result.reference, result.signature);
   * }
   */
  signBatch(
    items: readonly WithReference<Formats[F]['sign']>[],
    options?: CallOptions,
  ): Promise<readonly BatchResult<Formats[F]['signature']>[]>;
  /**
   * Verifies up to 1,000 signatures in one request of at most 1 MiB of JSON. An item can fail without the others.
   * @returns the results in the order of the items
   * @throws {SignerError} if the whole batch failed, as with `signBatch`
   * @example
   * const results = await signer.keySet('orders', 'raw').verifyBatch([{ message: 'hello', signature }]);
   * const allValid = results.every((result) => 'valid' in result && result.valid);
   */
  verifyBatch(
    items: readonly WithReference<Formats[F]['verify']>[],
    options?: CallOptions,
  ): Promise<readonly BatchResult<Formats[F]['verification']>[]>;
  /**
   * Signs a message of any length, which is sent as the request body instead of JSON. Works with `raw` and the webhook
   * formats, if the key set does not derive a key for each tenant.
   * @param message a stream is read once, so a call with a stream is never retried
   * @throws {SignerError} with the code `unsupported_media_type` for other key sets, `message_too_large`, `timeout` or
   * another one of {@link SignerErrorCode}
   * @example
   * const message = Readable.toWeb(createReadStream('backup.tar'));
   * const { signature } = await signer.keySet('backups', 'raw').signMessage(message);
   */
  signMessage(
    message: Message,
    options?: CallOptions & MessageTarget & { readonly id?: string | undefined },
  ): Promise<Formats[F]['signature']>;
  /**
   * Verifies a message of any length, which is sent as the request body instead of JSON. Works with `raw` and the webhook
   * formats, if the key set does not derive a key for each tenant.
   * @param message exactly the bytes that you received; a stream is read once, so a call with a stream is never retried
   * @param received with `raw`, the signature as `signMessage` returned it; with a webhook format, all the headers that
   * came with the message, of which this method passes on those that the format reads. If one of these has characters
   * that no header can hold, or they are longer than 6 KiB together, the answer is `malformed`
   * @throws {SignerError} as `signMessage` does
   * @example
   * const { valid } = await signer.keySet('backups', 'raw').verifyMessage(message, signature);
   * @example
   * // In a handler of node:http, before anything parses the body:
   * const answer = await signer.keySet('hook', 'github').verifyMessage(Readable.toWeb(request), request.headers);
   */
  verifyMessage(
    message: Message,
    received: F extends 'raw' ? string : HttpHeaders | HeaderPairs,
    options?: CallOptions & MessageTarget,
  ): Promise<Formats[F]['verification']>;
  /**
   * Answers the challenge of a webhook provider, which asks for proof of the secret before it sends messages. Works with
   * formats that have challenges, such as `zoom`, if the key set allows it.
   * @throws {SignerError} with the code `operation_not_allowed`, `malformed_request` or another one of
   * {@link SignerErrorCode}
   * @example
   * const { response } = await signer.keySet('zoom', 'zoom').challenge({ token: plainToken });
   */
  challenge(request: ForTenant<ChallengeRequest>, options?: CallOptions): Promise<ChallengeAnswer>;
  /** Returns the format, the key ids and the limits of the key set. */
  describe(options?: CallOptions): Promise<KeySetDescriptionForCaller>;
}

/** A request, and what its answer must be besides a JSON object. */
export interface Request extends Omit<Sent, 'signal'> {
  readonly isAnswer?: (answer: object) => boolean;
}

/** Sends one request, with retries, and returns the parsed answer. */
export type Call = <A>(request: Request, options?: CallOptions) => Promise<A>;

const json = { 'content-type': 'application/json' };
const octets = { 'content-type': 'application/octet-stream' };

/** What to do with a JSON request that is too large, if its message could be sent at any length. */
const adviceToStream = {
  sign: 'send the message by signMessage',
  verify: 'send the message by verifyMessage',
  challenge: 'send less',
} as const;

export function createKeySet<F extends keyof Formats>(call: Call, name: string, format: F): KeySet<F> {
  const path = pathOf(name);
  const isAnswer = (operation: Operation) => (answer: object) => isAnswerTo[operation](answer, format);
  const post = async <A>(
    operation: Operation,
    body: Message,
    headers: Sent['headers'],
    options?: CallOptions,
  ): Promise<A> => {
    // Anything else would be sent as an empty message, or as its text.
    if (!(body instanceof Uint8Array || body instanceof ReadableStream)) {
      throw new TypeError('"message" argument must be a Uint8Array or a ReadableStream');
    }
    const request = { path: `${path}/${operation}`, headers, body, isAnswer: isAnswer(operation) };
    return await call({ method: 'POST', ...request }, options);
  };
  const postJson = async <A>(
    operation: Operation,
    request: TenantRequest,
    options?: CallOptions,
  ): Promise<A> => {
    const fields = toJson(request);
    const canStream = !('tenant' in fields) && streamedFormats.includes(format);
    const body = encode(fields, canStream ? adviceToStream[operation] : 'send less');
    return await post(operation, body, json, options);
  };
  const postBatch = async <A>(
    operation: Operation,
    items: readonly object[],
    options?: CallOptions,
  ): Promise<readonly BatchResult<A>[]> => {
    const body = encode(batchToJson(items), 'send fewer items at once');
    const { length } = items;
    const { results } = await call<{ results: readonly BatchResult<A>[] }>(
      {
        path: `${path}/${operation}-batch`,
        method: 'POST',
        headers: json,
        body,
        isAnswer: (answer) => hasResults(answer, length, isAnswer(operation)),
      },
      options,
    );
    return results;
  };
  return {
    sign: (request, options) => postJson('sign', request, options),
    verify: (request, options) => postJson('verify', request, options),
    signBatch: (items, options) => postBatch('sign', items, options),
    verifyBatch: (items, options) => postBatch('verify', items, options),
    signMessage: async (message, options = {}) =>
      await post('sign', message, { ...headersOfTarget(options), ...octets }, options),
    verifyMessage: async (message, received: string | HttpHeaders | HeaderPairs, options = {}) => {
      const headers = headersOfSignature(received, format);
      if (headers !== undefined) {
        return await post('verify', message, { ...headers, ...headersOfTarget(options), ...octets }, options);
      }
      if (message instanceof ReadableStream) await message.cancel().catch(() => undefined);
      return { valid: false, reason: 'malformed' };
    },
    challenge: (request, options) => postJson('challenge', request, options),
    describe: (options) => call({ path, method: 'GET', headers: {} }, options),
  };
}

/** @throws {TypeError} if the name cannot be one segment of a path */
function pathOf(name: string): string {
  // A URL with the segment `.` or `..` is the URL of something else, even if the dots are percent-encoded.
  if (typeof name !== 'string' || !name.isWellFormed() || ['', '.', '..'].includes(name)) {
    throw new TypeError('"name" argument must be the name of a key set, as it stands in the configuration');
  }
  return `/v1/keys/${encodeURIComponent(name)}`;
}

/**
 * Writes a request as JSON. It checks the size first, because the signer closes the connection on a larger request, which
 * can look like an outage.
 * @throws {SignerError} `message_too_large`
 */
function encode(request: object, advice: string): Uint8Array {
  const bytes = new TextEncoder().encode(JSON.stringify(request));
  if (bytes.length <= maxJsonBytes) return bytes;
  const message = `this request as JSON has at most ${maxJsonBytes} bytes; ${advice}`;
  throw new SignerError('message_too_large', message, { status: 413 });
}
