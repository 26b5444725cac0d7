/** The one error of the client. */

import type { ErrorCode, Problem } from '../api/errors.ts';

/** The signer's own codes, and two for when it gave no answer. */
export type SignerErrorCode = ErrorCode | 'unreachable' | 'no_answer_in_time';

/** A call that got no signature and no verdict. A wrong signature is not one: it is an answer. */
export class SignerError extends Error {
  override readonly name = 'SignerError';
  readonly code: SignerErrorCode;
  /** The HTTP status, also where the client knows it without asking; undefined when there was no answer. */
  readonly status: number | undefined;
  /** Seconds after which the signer suggests to try again. */
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

/** What an error answer says. Something else than a signer may have answered. */
export function errorOf(status: number, retryAfter: string | null, body: unknown): SignerError {
  const problem = isProblem(body) ? body : undefined;
  return new SignerError(
    problem?.code ?? 'internal',
    problem?.detail ?? `the answer with status ${status} is not that of a signer; check the address`,
    { status, ...(retryAfter !== null && { retryAfterSeconds: Number(retryAfter) }) },
  );
}

function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'code' in body && 'detail' in body;
}
