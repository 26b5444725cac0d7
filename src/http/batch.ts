/** Parses batches: many requests in one, each with an optional reference of the caller's. */

import * as z from 'zod/mini';
import { malformedField } from '../api/errors.ts';
import { parse } from '../api/schema.ts';

export const maxBatchItems = 1000;
export const maxReferenceLength = 256;

const batchSchema = z.strictObject({
  items: z.array(z.unknown()).check(z.minLength(1), z.maxLength(maxBatchItems)),
});

/** Returns the items, which are not parsed yet. @throws {SignerError} `malformed_request` */
export function parseBatch(body: unknown): readonly unknown[] {
  return parse(batchSchema, body).items;
}

export interface Labelled {
  readonly request: unknown;
  /** What comes back with the answer. */
  readonly reference?: string;
}

/** @throws {SignerError} `malformed_request` */
export function takeReference(item: unknown): Labelled {
  if (typeof item !== 'object' || item === null || !('reference' in item)) return { request: item };
  const { reference, ...request } = item;
  if (typeof reference !== 'string' || reference.length > maxReferenceLength) {
    throw malformedField('reference', `must be a string of at most ${maxReferenceLength} characters`);
  }
  return { request, reference };
}

export function withReference<T extends object>(answer: T, reference: string | undefined): T {
  return reference === undefined ? answer : { ...answer, reference };
}
