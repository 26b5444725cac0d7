/** Errors as RFC 9457 problem documents. */

import { expect, it } from 'vitest';
import type { ErrorCode } from '../../src/api/errors.ts';
import { errorCodes, SignerError } from '../../src/api/errors.ts';
import {
  answerHeaders,
  asSignerError,
  notFound,
  overloaded,
  problemResponse,
  toProblem,
} from '../../src/http/problem.ts';

const codes = Object.keys(errorCodes) as ErrorCode[];

it.each(codes)('%s becomes a problem document with its status and title', async (code) => {
  const response = problemResponse(new SignerError(code, 'do this instead'));
  expect(response.status).toBe(errorCodes[code].status);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(await response.json()).toEqual({
    type: `urn:sidecar-signer:problem:${code}`,
    title: errorCodes[code].title,
    status: errorCodes[code].status,
    detail: 'do this instead',
    code,
  });
});

it('is never cached and never taken for a document', () => {
  const { headers } = problemResponse(new SignerError('internal', 'x'));
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(answerHeaders).toEqual({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
});

it('carries the headers of the refusal', () => {
  const response = problemResponse(new SignerError('method_not_allowed', 'x', { allow: 'POST' }));
  expect(response.headers.get('allow')).toBe('POST');
});

it('tells a client of a busy signer when to come back', () => {
  const response = problemResponse(overloaded());
  expect(response.status).toBe(503);
  expect(response.headers.get('retry-after')).toBe('1');
});

it('names the paths there are where there is none', () => {
  expect(toProblem(notFound('the paths are /a and /b'))).toMatchObject({
    code: 'not_found',
    detail: 'the paths are /a and /b',
  });
});

it('passes an error of the closed list on as it is', () => {
  const error = new SignerError('unknown_key', 'x');
  expect(asSignerError(error)).toBe(error);
});

it.each<[string, unknown]>([
  ['an error', new Error('SECRET')],
  ['an error that calls itself ours', Object.assign(new Error('SECRET'), { name: 'SignerError', code: 'x' })],
  ['a system error', Object.assign(new Error('SECRET'), { code: 'EIO', path: 'SECRET' })],
  ['an error with a cause', new Error('x', { cause: 'SECRET' })],
  ['text', 'SECRET'],
  ['an object', { message: 'SECRET', code: 'unknown_key' }],
  ['nothing', undefined],
])('shows nothing of %s that was not foreseen', async (_, thrown) => {
  const response = problemResponse(asSignerError(thrown));
  expect(response.status).toBe(500);
  const body = await response.text();
  expect(JSON.parse(body)).toMatchObject({ code: 'internal' });
  expect(body).not.toContain('SECRET');
});
