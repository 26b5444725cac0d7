/** One call: its time limit, its attempts, and the error if they all fail. */

import { parseAnswer } from './answer.ts';
import { errorOf, SignerError } from './error.ts';
import type { Call, CallOptions, Request } from './key-set.ts';
import { maxAnswerBytes, type Received, type Sent, type Transport } from './transport.ts';

export interface Connection {
  /** For error messages. */
  readonly address: string;
  readonly transport: Transport;
  /** The most milliseconds that a call may take, with all its attempts. */
  readonly timeoutMs: number;
  readonly retries: number;
}

/** Nobody listens, or the signer has too many connections that wait. Either way nothing has been sent. */
const refused = new Set(['ECONNREFUSED', 'ENOENT', 'EAGAIN']);
/** The connection ended before the answer did. */
const broken = new Set(['ECONNRESET', 'EPIPE']);

/** While nobody listens, the pauses between attempts grow from the first to the last of these. */
const [firstPauseMs, lastPauseMs] = [25, 250];

export function createCall({ address, transport, timeoutMs, retries }: Connection): Call {
  /** Sends a request as soon as somebody listens, because the signer may be restarting. */
  async function send(sent: Sent, deadline: number): Promise<Received> {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, lastPauseMs)) {
      try {
        return await beforeAbort(transport(sent), sent.signal);
      } catch (error) {
        const waits = retries > 0 && refused.has(codeOf(error)) && Date.now() + pauseMs < deadline;
        if (!waits || (sent.body instanceof ReadableStream && sent.body.locked)) throw error;
      }
      await pause(pauseMs, sent.signal);
    }
  }

  return async <A>(
    { isAnswer = () => true, ...request }: Request,
    { signal }: CallOptions = {},
  ): Promise<A> => {
    const timeout = AbortSignal.timeout(timeoutMs);
    const ends = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    const sent = { ...request, headers: { 'sec-signer': '1', ...request.headers }, signal: ends };
    const stream = request.body instanceof ReadableStream ? request.body : undefined;
    const deadline = Date.now() + timeoutMs;
    const failure = (cause: unknown): unknown => {
      if (signal?.aborted) return signal.reason;
      if (timeout.aborted) {
        const message = `the signer gave no answer within ${timeoutMs} ms`;
        return new SignerError('no_answer_in_time', message, { cause });
      }
      const orStream = stream === undefined ? '' : ', or the stream of the message failed';
      const message = `the signer cannot be reached at ${address}${orStream}; check that it runs, and the url or the socketPath`;
      return new SignerError('unreachable', message, { cause });
    };
    try {
      // A stream that has been sent in part cannot be sent again.
      for (let left = stream === undefined ? retries : 0; ; left--) {
        let received: Received;
        try {
          received = await send(sent, deadline);
        } catch (error) {
          // Signing changes nothing in the signer, so it does no harm if it signed already.
          if (left > 0 && !ends.aborted && broken.has(codeOf(error))) continue;
          throw failure(error);
        }
        const answer = received.body && parseAnswer(received.body);
        if (received.status === 200 && answer !== undefined && isAnswer(answer)) return answer as A;
        const error = errorFor(received, answer);
        const waitMs = (error.retryAfterSeconds ?? Number.NaN) * 1000;
        const isRepeated = received.status === 503 && left > 0 && Date.now() + waitMs < deadline;
        if (!isRepeated) throw error;
        await pause(waitMs, ends).catch((reason) => {
          throw failure(reason);
        });
      }
    } finally {
      // If the stream was never read, nothing else closes what is behind it.
      if (stream?.locked === false) stream.cancel(ends.reason).catch(() => undefined);
    }
  };
}

function errorFor({ status, retryAfter, body }: Received, answer: object | undefined): SignerError {
  if (body !== undefined) return errorOf(status, retryAfter, status === 200 ? undefined : answer);
  const message = `the answer has more than ${maxAnswerBytes} bytes, so it is not that of a signer; check the address`;
  return new SignerError('internal', message, { status });
}

/** The system's code of an error of `node:http` or of `fetch`. */
function codeOf(error: unknown): string {
  const { code, cause } = Object(error);
  return String(code ?? Object(cause).code);
}

/** The result, or a rejection with the reason of the signal if it is aborted first, whatever the transport does. */
function beforeAbort<T>(result: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    result.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
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
