/** The closed list of errors, as the contract of the API has it. */

import { expect, it } from 'vitest';
import { errorCodes, SignerError } from '../../src/api/errors.ts';

it('has exactly the codes of the contract, each with its status and a title of its own', () => {
  const statuses = Object.entries(errorCodes).map(([code, { status }]) => [code, status]);
  expect(Object.fromEntries(statuses)).toEqual({
    malformed_request: 400,
    forbidden_caller: 403,
    operation_not_allowed: 403,
    unknown_key: 404,
    not_found: 404,
    method_not_allowed: 405,
    timeout: 408,
    message_too_large: 413,
    unsupported_media_type: 415,
    unprocessable: 422,
    rate_limited: 429,
    overloaded: 503,
    not_ready: 503,
    unrecorded: 503,
    internal: 500,
  });
  expect(new Set(Object.values(errorCodes).map(({ title }) => title)).size).toBe(statuses.length);
  // @ts-expect-error: the list is closed
  expect(new SignerError('teapot', 'x')).toBeInstanceOf(Error);
});
