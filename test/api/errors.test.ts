/** The closed list of errors, as the contract of the API has it. */

import { expect, it } from 'vitest';
import type { ErrorCode } from '../../src/api/errors.ts';
import { errorCodes, SignerError } from '../../src/api/errors.ts';

const contract: Readonly<Record<ErrorCode, number>> = {
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
  internal: 500,
};

it('has exactly the codes of the contract, each with its status', () => {
  const statuses = Object.entries(errorCodes).map(([code, { status }]) => [code, status]);
  expect(Object.fromEntries(statuses)).toEqual(contract);
});

it('gives each code a title of its own', () => {
  const titles = new Set(Object.values(errorCodes).map(({ title }) => title));
  expect(titles.size).toBe(Object.keys(contract).length);
});

it('is an error with a code, its detail as the message, and the headers of the refusal', () => {
  const error = new SignerError('rate_limited', 'wait a second', { 'retry-after': '1' });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: 'SignerError',
    code: 'rate_limited',
    message: 'wait a second',
    headers: { 'retry-after': '1' },
  });
  expect(new SignerError('internal', 'x').headers).toEqual({});
});

it('takes no code outside the list', () => {
  // @ts-expect-error: the list is closed
  const error = new SignerError('teapot', 'x');
  expect(Object.keys(errorCodes)).not.toContain(error.code);
});
