/**
 * The closed list of error codes, and the error that carries one. The text of an error says what to do; it never repeats
 * input and never contains a secret.
 */

/** Every error code, with the HTTP status and the title of its answer. */
export const errorCodes = {
  malformed_request: { status: 400, title: 'The request is not well formed' },
  forbidden_caller: { status: 403, title: 'The signer does not serve this caller' },
  operation_not_allowed: { status: 403, title: 'The policy of the key does not allow this operation' },
  unknown_key: { status: 404, title: 'There is no key of this name' },
  not_found: { status: 404, title: 'There is nothing at this path' },
  method_not_allowed: { status: 405, title: 'The path does not support this method' },
  timeout: { status: 408, title: 'The request took too long to arrive' },
  message_too_large: { status: 413, title: 'The request is too large' },
  unsupported_media_type: { status: 415, title: 'The content type is not supported' },
  unprocessable: { status: 422, title: 'The request is well formed but cannot be carried out' },
  rate_limited: { status: 429, title: 'The key is used too often' },
  overloaded: { status: 503, title: 'The signer is busy' },
  not_ready: { status: 503, title: 'The signer has no keys yet' },
  unrecorded: { status: 503, title: 'The signer cannot write its audit' },
  internal: { status: 500, title: 'The signer failed' },
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** A problem document (RFC 9457 §3.1), extended by `code`. Programs should look at `code`, and people at `detail`. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
}

/** The signer's answer to a request that it refuses. A wrong signature is not an error: its answer is `valid: false`. */
export class SignerError extends Error {
  override readonly name = 'SignerError';
  readonly code: ErrorCode;
  /** HTTP headers of the answer, such as `Retry-After` (in seconds) or `Allow`. */
  readonly headers: Readonly<Record<string, string>>;

  /** @param detail what was expected and what to do, in lower case and without a full stop */
  constructor(code: ErrorCode, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.code = code;
    this.headers = headers;
  }
}

/** @param what completes the sentence "the field …" */
export function malformedField(field: string, what: string): SignerError {
  return new SignerError('malformed_request', `field "${field}": ${what}`);
}
