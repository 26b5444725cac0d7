/** The request for a presigned POST: what a caller may put into the form, and how it is written. */

import * as z from 'zod/mini';
import type { AwsPost, AwsPostRequest } from '../../api/aws-post.ts';
import { longestExpiresSeconds } from './options.ts';

/** The longest name that an object in S3 can have. */
const maxKeyBytes = 1024;

/** The most user-defined metadata that S3 stores, names and values together. */
const maxMetadataBytes = 2048;

/** S3 replaces `${filename}` in every field, after the signer has looked at the value. */
const hasVariable = (text: string) => text.includes('${');
const isLine = (text: string) => /^[\x20-\x7e]*$/.test(text) && !hasVariable(text);
const lineRule = 'one line of printable ASCII without "${"';

/** A dot segment, also behind a backslash or if a server decodes the name. */
const dotSegment = /(?:^|[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:$|[/\\]|%2f|%5c)/i;

const rule = (isMet: (text: string) => boolean, error: string) => z.refine<string>(isMet, { error });
const objectName = z.string().check(
  rule((text) => text !== '', 'must not be empty'),
  rule((text) => Buffer.byteLength(text) <= maxKeyBytes, `must have at most ${maxKeyBytes} bytes in UTF-8`),
  rule((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), 'must be text without control characters'),
  rule((text) => !hasVariable(text), 'must not have "${", which S3 replaces; use "keyPrefix"'),
  rule((text) => !text.startsWith('/'), 'must not begin with a slash, which some servers drop'),
  rule((text) => !dotSegment.test(text), 'must not have the segments "." or ".."'),
);
const objectPrefix = objectName.check(
  rule((text) => text.endsWith('/'), 'must end with a slash, so that it covers no other names'),
);

const label = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?';
const bucketName = new RegExp(`^(?=.{3,63}$)${label}(?:\\.${label})*$`);
/** An address, and the names that end like `--x-s3`: those are aliases, or other kinds of buckets, which take no forms. */
const reservedName = /^\d+\.\d+\.\d+\.\d+$|--[a-z0-9]+-s3$/;
const isBucket = (text: string) => bucketName.test(text) && !reservedName.test(text);

/** A media type (RFC 9110 §8.3.1) without commas, at which servers could divide it. */
const mediaType =
  /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?: ?; ?[\w!#$&^.+-]+=(?:[\w!#$&^.+-]+|"[\x20\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]*"))*$/;

const isRedirect = (text: string) =>
  text.length <= 2048 &&
  /^https?:\/\/[\x21-\x7e]+$/.test(text) &&
  !hasVariable(text) &&
  URL.parse(text) !== null;

const metadata = z
  .custom<NonNullable<AwsPost['metadata']>>(
    isMetadata,
    `must be an object whose names are lower-case letters, digits and . _ -, and whose values are ${lineRule}; at most ${maxMetadataBytes} characters together`,
  )
  .register(z.globalRegistry, { type: 'object', additionalProperties: { type: 'string' } });

function isMetadata(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const pairs = Object.entries(value);
  const isPair = ([name, text]: [string, unknown]) =>
    /^[a-z0-9._-]+$/.test(name) && typeof text === 'string' && isLine(text);
  return pairs.every(isPair) && pairs.flat().join('').length <= maxMetadataBytes;
}

const text = (isText: (value: string) => boolean, error: string) =>
  z.optional(z.string().check(rule(isText, error)));

const post: z.ZodMiniType<AwsPost> = z.strictObject({
  bucket: z
    .string()
    .check(
      rule(
        isBucket,
        'must be the name of a general purpose bucket: 3 to 63 lower-case letters, digits, "-" and single "."',
      ),
    ),
  key: z.optional(objectName),
  keyPrefix: z.optional(objectPrefix),
  maxBytes: z.int().check(z.gte(1)),
  contentType: text(
    (value) => value.length <= 255 && mediaType.test(value) && !hasVariable(value),
    'must be a media type without commas, such as image/png',
  ),
  expiresSeconds: z.optional(z.int().check(z.gte(1), z.lte(longestExpiresSeconds))),
  pathStyle: z.optional(z.boolean()),
  sessionToken: text(
    (value) => /^[\w+/=.~-]{1,8192}$/.test(value),
    'must be a session token as AWS issues it',
  ),
  successActionRedirect: text(isRedirect, 'must be an absolute URL as it is sent, with https:// or http://'),
  successActionStatus: z.optional(z.literal([200, 201, 204])),
  serverSideEncryption: z.optional(z.enum(['AES256', 'aws:kms', 'aws:kms:dsse'])),
  kmsKeyId: text(
    (value) => /^[\w:/.-]{1,2048}$/.test(value),
    'must be the id, the ARN or the alias of a KMS key',
  ),
  bucketKeyEnabled: z.optional(z.boolean()),
  metadata: z.optional(metadata),
});

export const postRequest: z.ZodMiniType<AwsPostRequest> = z.strictObject({
  post,
  service: z.optional(z.string()),
  region: z.optional(z.string()),
});

/** Whether a sign request asks for a presigned POST. */
export function asksForPost(request: unknown): boolean {
  return typeof request === 'object' && request !== null && Object.hasOwn(request, 'post');
}

/** The fields that a caller chooses, in the order of the form, without the name of the object. */
export function chosenFields(post: AwsPost): readonly (readonly [name: string, value: string])[] {
  const encryption = 'x-amz-server-side-encryption';
  const fields: readonly (readonly [name: string, value: string | number | boolean | undefined])[] = [
    ['Content-Type', post.contentType],
    ['success_action_redirect', post.successActionRedirect],
    ['success_action_status', post.successActionStatus],
    [encryption, post.serverSideEncryption],
    [`${encryption}-aws-kms-key-id`, post.kmsKeyId],
    [`${encryption}-bucket-key-enabled`, post.bucketKeyEnabled],
    ...Object.entries(post.metadata ?? {}).map(([name, value]) => [`x-amz-meta-${name}`, value] as const),
  ];
  return fields.flatMap(([name, value]) => (value === undefined ? [] : [[name, `${value}`] as const]));
}
