/** Errors as RFC 9457 problem documents. Nothing of an unexpected error reaches the caller. */

import type { Problem } from '../api/errors.ts';
import { errorCodes, SignerError } from '../api/errors.ts';

/** Headers of every answer: signatures are for the caller alone, and never a document. */
export const answerHeaders = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

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

/** @param paths which paths there are */
export function notFound(paths: string): SignerError {
  return new SignerError('not_found', paths);
}

/** Retried by a client after the second it names. */
export function overloaded(): SignerError {
  return new SignerError('overloaded', 'too many requests at once; try again', { 'retry-after': '1' });
}

/** Whatever was thrown, as an error that may be shown. */
export function asSignerError(error: unknown): SignerError {
  if (error instanceof SignerError) return error;
  return new SignerError(
    'internal',
    'this is a fault of the signer; its log has the time and the kind of error',
  );
}
