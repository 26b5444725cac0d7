/** The options of the format in a key set's configuration, and the policy that they make. */

import * as z from 'zod/mini';
import { methodPattern } from '../http-request.ts';
import { type Tolerance, toleranceFields, toTolerance } from '../tolerance.ts';
import { isS3 } from './canonical-request.ts';

export interface AwsPolicy extends Tolerance {
  readonly accessKeyId: string;
  readonly services: readonly string[];
  readonly regions: readonly string[];
  /** Undefined allows every host, method or path. */
  readonly hosts?: readonly string[] | undefined;
  readonly methods?: readonly string[] | undefined;
  readonly pathPrefixes?: readonly string[] | undefined;
  /** The longest lifetime of a presigned URL; 0 forbids presigned URLs. */
  readonly maxExpiresSeconds: number;
  /** Also admits streamed payloads, whose chunks the signature does not cover. */
  readonly allowUnsignedPayload: boolean;
  /** Allows requests that name a second object, which `hosts` and `pathPrefixes` do not limit. */
  readonly allowCopy: boolean;
  /** Leaves `X-Amz-Content-Sha256` out for services that do not need it. */
  readonly omitContentSha256: boolean;
}

/** A week, the longest that AWS accepts. */
export const longestExpiresSeconds = 604_800;

/** The scope is signed as it is written, so each character must be the same in a header and in a URL. */
const scopePart = z
  .string()
  .check(
    z.regex(
      /^[A-Za-z0-9._~-]{1,64}$/,
      'must be like s3, eu-central-1 or RegionOne: letters, digits and . _ ~ -',
    ),
  );
const service = scopePart.check(
  z.refine((name) => isS3(name) || !isS3(name.toLowerCase()), {
    error: 'must be in lower case, as S3 expects it',
  }),
);
const list = <T extends z.ZodMiniType>(element: T) => z.array(element).check(z.minLength(1), z.maxLength(64));

export const options = z.strictObject({
  accessKeyId: z.string().check(z.regex(/^[\w.~-]{3,128}$/, 'must be an access key id, like AKIDEXAMPLE')),
  services: list(service),
  regions: list(scopePart),
  hosts: z.optional(
    list(
      z
        .string()
        .check(
          z.regex(
            /^(?:\*\.)?[a-z0-9.-]+(?::\d{1,5})?$/,
            'must be a host in lower case, or *.host for all its subdomains',
          ),
        ),
    ),
  ),
  methods: z.optional(list(z.string().check(z.regex(methodPattern, 'must be in upper case')))),
  pathPrefixes: z.optional(
    list(z.string().check(z.regex(/^\/[\x21-\x7e]*$/, 'must begin with a slash and be percent-encoded'))),
  ),
  maxExpiresSeconds: z.optional(z.int().check(z.gte(0), z.lte(longestExpiresSeconds))),
  allowUnsignedPayload: z.optional(z.boolean()),
  allowCopy: z.optional(z.boolean()),
  omitContentSha256: z.optional(z.boolean()),
  ...toleranceFields,
});

export function createAwsPolicy(configured: z.infer<typeof options>): AwsPolicy {
  return {
    ...configured,
    maxExpiresSeconds: configured.maxExpiresSeconds ?? 3600,
    allowUnsignedPayload: configured.allowUnsignedPayload ?? false,
    allowCopy: configured.allowCopy ?? false,
    omitContentSha256: configured.omitContentSha256 ?? false,
    ...toTolerance(configured),
  };
}
