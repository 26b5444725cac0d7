/** What every answer must be, whatever was asked: a result, or a problem of the closed list that repeats no value. */

import { type ErrorCode, errorCodes } from '../../src/api/errors.ts';
import type { Answer } from '../hostile/wire.ts';
import { canary, type Json } from './samples.ts';

/** Of a request alone, or of one item of a batch. */
export interface Result {
  /** `ok`, `valid`, the reason why a signature is not valid, an error code, or the status of an answer without a body. */
  readonly outcome: string;
  /** The answer or the problem, without the reference of a batch. */
  readonly value: unknown;
}

/** The runtime's HTTP parser and the limits of a head answer so, without a body. */
const bareStatuses: readonly number[] = [400, 405, 414, 431];

/** @throws {Error} if it is no answer of the contract */
export function resultsOf({ status, headers, body }: Answer): readonly Result[] {
  if (body === '' && bareStatuses.includes(status)) return [{ outcome: `${status}`, value: undefined }];
  const value = JSON.parse(body) as Json;
  if (headers.get('content-type') === 'application/problem+json') return [problem(value, status)];
  if (status !== 200 || headers.get('content-type') !== 'application/json') {
    throw new Error('the answer is neither a result nor a problem document');
  }
  const results = 'results' in value ? (value['results'] as Json[]) : [value];
  return results.map(({ reference, ...result }) =>
    'error' in result ? problem(result['error'] as Json) : { outcome: outcomeOf(result), value: result },
  );
}

function outcomeOf({ valid, reason }: Json): string {
  if (valid === undefined) return 'ok';
  return valid === true ? 'valid' : String(reason);
}

function problem(value: Json, status = value['status']): Result {
  const { code, detail } = value;
  if (code === 'internal') throw new Error('the signer failed');
  if (errorCodes[code as ErrorCode]?.status !== status) throw new Error('the status is not that of the code');
  if (typeof detail !== 'string' || JSON.stringify(value).includes(canary)) {
    throw new Error('the problem repeats the request');
  }
  return { outcome: String(code), value };
}
