/** Errors as problem documents (RFC 9457). An unexpected error is never shown to the caller. */

import type { Problem } from '../api/errors.ts';
import { errorCodes, SignerError } from '../api/errors.ts';

/** Sent with every answer: nobody may cache a signature or render it as a document. */
export const answerHeaders = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

// A Response copies these headers, which costs less than building them for each answer.
const jsonHeaders = new Headers({ ...answerHeaders, 'content-type': 'application/json' });

export function jsonResponse(body: object, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: jsonHeaders });
}

export function toProblem(error: SignerError): Problem {
  const { status, title } = errorCodes[error.code];
  return {
    type: `urn:sidecar-signer:problem:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
  };
}

export function problemResponse(error: SignerError): Response {
  const problem = toProblem(error);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { ...answerHeaders, 'content-type': 'application/problem+json', ...error.headers },
  });
}

/** @param paths the paths that exist */
export function notFound(paths: string): SignerError {
  return new SignerError('not_found', paths);
}

/** A client may retry after one second. */
export function overloaded(): SignerError {
  return new SignerError('overloaded', 'too many requests at once; try again', { 'retry-after': '1' });
}

/** A client may retry after one second. */
export function notReady(): SignerError {
  const detail = 'no valid keys are loaded yet; the log and /status on the ops listener say why';
  return new SignerError('not_ready', detail, { 'retry-after': '1' });
}

/** Its line in the audit could not be written. A client may retry after one second. */
export function unrecorded(): SignerError {
  const detail =
    'the audit cannot be written, and nothing is answered without it; the log and /status on the ops listener say why';
  return new SignerError('unrecorded', detail, { 'retry-after': '1' });
}

/** Turns whatever was thrown into an error that may be shown. */
export function asSignerError(error: unknown): SignerError {
  if (error instanceof SignerError) return error;
  return new SignerError(
    'internal',
    'this is a fault of the signer; its log has the time and the kind of error',
  );
}
