/** The shapes of requests, and their strict parsing: an unknown field is an error, and no message repeats input. */

import * as z from 'zod/mini';
import { bytesEncodings, decode } from '../encoding.ts';
import { SignerError } from '../errors.ts';

// The binary forbids code from strings, with which zod would compile its schemas.
z.config({ jitless: true });

const message = {
  message: z.string(),
  encoding: z.optional(z.enum(['utf8', 'base64', 'hex'])),
  output: z.optional(z.enum(bytesEncodings)),
};

export const schemas = {
  sign: z.strictObject(message),
  verify: z.strictObject({ ...message, signature: z.string() }),
};

export const maxBatchItems = 1000;
export const maxReferenceLength = 256;

const batchSchema = z.strictObject({
  items: z.array(z.unknown()).check(z.minLength(1), z.maxLength(maxBatchItems)),
});

/** The items of a batch, each still to be parsed on its own. @throws {SignerError} `malformed_request` */
export function parseBatch(body: unknown): readonly unknown[] {
  return parse(batchSchema, body).items;
}

/** An item of a batch: the request, and the caller's own name for it, which comes back with the answer. */
export interface Labelled {
  readonly request: unknown;
  readonly label: { readonly reference?: string };
}

/** @throws {SignerError} `malformed_request` */
export function takeReference(item: unknown): Labelled {
  if (typeof item !== 'object' || item === null || !('reference' in item))
    return { request: item, label: {} };
  const { reference, ...request } = item;
  if (typeof reference !== 'string' || reference.length > maxReferenceLength) {
    throw new SignerError(
      'malformed_request',
      `field "reference": must be a string of at most ${maxReferenceLength} characters`,
    );
  }
  return { request, label: { reference } };
}

/** @throws {SignerError} `malformed_request` naming the first field that is wrong */
export function parse<S extends z.ZodMiniObject>(schema: S, body: unknown): z.infer<S> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const fields = Object.keys(schema.def.shape);
  throw new SignerError(
    'malformed_request',
    issue === undefined ? 'the request is malformed' : explain(issue, fields),
  );
}

/**
 * The bytes of a message written as text.
 * @throws {SignerError} `malformed_request` for text that is not well formed, or not in the encoding
 */
export function messageBytes({ message: text, encoding = 'utf8' }: z.infer<typeof schemas.sign>): Uint8Array {
  if (encoding === 'utf8') {
    if (!text.isWellFormed() || text.includes('\0')) {
      throw new SignerError(
        'malformed_request',
        'field "message": as text it must be well-formed Unicode without NUL; send other bytes as base64 or hex',
      );
    }
    return Buffer.from(text);
  }
  const bytes = decode(text, encoding);
  if (bytes === undefined) {
    throw new SignerError(
      'malformed_request',
      `field "message": not ${encoding}, which "encoding" says it is`,
    );
  }
  return bytes;
}

/** Paths are made of our own field names and of indexes: strict objects admit no others. */
function explain(issue: z.core.$ZodIssue, fields: readonly string[]): string {
  if (issue.code === 'unrecognized_keys')
    return `unknown field; the fields of this request are: ${fields.join(', ')}`;
  const where = issue.path.length === 0 ? 'the body' : `field "${issue.path.join('.')}"`;
  switch (issue.code) {
    case 'invalid_type':
      return `${where}: must be ${issue.expected === 'array' ? 'an array' : `a ${issue.expected}`}`;
    case 'invalid_value':
      return `${where}: must be one of ${issue.values.join(', ')}`;
    case 'too_small':
      return `${where}: must have at least ${issue.minimum} element`;
    case 'too_big':
      return `${where}: must have at most ${issue.maximum} ${issue.origin === 'string' ? 'characters' : 'elements'}`;
    default:
      return `${where}: is not valid`;
  }
}
