/** The one error class of the client. */

import type { ErrorCode } from '../api/errors.ts';
import { isProblem, secondsOf } from './answer.ts';

/**
 * Why a call failed: an error code of the signer, or one of two for a call without an answer.
 * - `malformed_request`: a field is missing or wrong; the message names it
 * - `unprocessable`: the request is well formed, but the signer cannot carry it out; the message says why
 * - `operation_not_allowed`: the policy of the key set does not allow this
 * - `forbidden_caller`: the signer does not serve this caller
 * - `unknown_key`: there is no key set of this name, or no key for this tenant
 * - `not_found`, `method_not_allowed`, `unsupported_media_type`: the request does not fit the key set
 * - `message_too_large`: the message or the request is too large
 * - `timeout`: the request did not arrive in time
 * - `rate_limited`: the key set is used too often; try again after `retryAfterSeconds`
 * - `overloaded`, `not_ready`, `unrecorded`: the signer is busy, has no keys yet or cannot write its audit, and retries
 *   did not help
 * - `internal`: the signer failed, or something other than a signer answered
 * - `unreachable`: no connection to the signer, or the connection broke
 * - `no_answer_in_time`: the call took longer than `timeoutMs`
 */
export type SignerErrorCode = ErrorCode | 'unreachable' | 'no_answer_in_time';

/**
 * A call that failed. A wrong signature is not an error: `verify` resolves to `{ valid: false, reason }`.
 * @example
 * try {
 *   await signer.keySet('orders', 'raw').sign({ message: 'hello' });
 * } catch (error) {
 *   if (error instanceof SignerError && error.code === 'rate_limited') {
 *     console.log(`try again in ${error.retryAfterSeconds} s`);
 *   }
 * }
 */
export class SignerError extends Error {
  override readonly name = 'SignerError';
  /** For programs. `message` is for people, and may change. */
  readonly code: SignerErrorCode;
  /** The HTTP status; undefined if there was no answer. */
  readonly status: number | undefined;
  /** How many seconds to wait before another attempt, if the signer says so. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: SignerErrorCode,
    message: string,
    {
      status,
      retryAfterSeconds,
      cause,
    }: { status?: number; retryAfterSeconds?: number; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** How the signer's HTTP server refuses a request before the signer sees it: by these statuses, without a body. */
const refusedByServer: Readonly<Record<number, string>> = {
  414: 'the request has too long a path (status 414); check the name of the key set',
  431: 'the request has too many or too long headers (status 431); send fewer or shorter ones',
};

/**
 * The error for an answer that is not a success. The answer may come from something other than a signer.
 * @param problem the parsed body; undefined if it cannot be one of a signer
 */
export function errorOf(status: number, retryAfter: string | null, problem: unknown): SignerError {
  const seconds = secondsOf(retryAfter);
  const options = { status, ...(seconds !== undefined && { retryAfterSeconds: seconds }) };
  if (isProblem(problem)) return new SignerError(problem.code, problem.detail, options);
  const refusal = refusedByServer[status];
  if (refusal !== undefined) return new SignerError('malformed_request', refusal, options);
  const toCheck = status === 200 ? 'the address, and the format of the key set' : 'the address';
  const message = `the answer with status ${status} is not that of a signer; check ${toCheck}`;
  return new SignerError('internal', message, options);
}
