/** The options of the format in a key set's configuration, and the policy that they make. */

import * as z from 'zod/mini';
import { hostList, list, methodList, pathPrefixList } from '../request-limits.ts';
import { type Tolerance, toleranceFields, toTolerance } from '../tolerance.ts';
import { isS3 } from './canonical-request.ts';
import { isAwsRegion, isEndpoint } from './post-address.ts';

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
  /** The longest file that a presigned POST may upload; undefined forbids presigned POST. */
  readonly maxPostBytes?: number | undefined;
  /** Where forms are sent, without the bucket. Undefined is the endpoint of AWS for the region. */
  readonly postEndpoint?: string | undefined;
}

/** A week, the longest that AWS accepts. */
export const longestExpiresSeconds = 604_800;

/** 5 GiB, the longest file that S3 takes in one request. */
const longestPostBytes = 5 * 2 ** 30;

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
const fields = {
  accessKeyId: z.string().check(z.regex(/^[\w.~-]{3,128}$/, 'must be an access key id, like AKIDEXAMPLE')),
  services: list(service),
  regions: list(scopePart),
  hosts: z.optional(hostList),
  methods: z.optional(methodList),
  pathPrefixes: z.optional(pathPrefixList),
  maxExpiresSeconds: z.optional(z.int().check(z.gte(0), z.lte(longestExpiresSeconds))),
  allowUnsignedPayload: z.optional(z.boolean()),
  allowCopy: z.optional(z.boolean()),
  omitContentSha256: z.optional(z.boolean()),
  maxPostBytes: z.optional(z.int().check(z.gte(1), z.lte(longestPostBytes))),
  postEndpoint: z.optional(
    z.string().check(
      z.refine(isEndpoint, {
        error:
          'must be https:// and a host in lower case, with its port if it is not the usual one, without a bucket or a path',
      }),
    ),
  ),
  ...toleranceFields,
};
type Fields = z.infer<z.ZodMiniObject<typeof fields>>;

/** What else must be set so that a form can be signed, each with what is wrong without it. */
const neededByForms: readonly [isSet: (configured: Fields) => boolean, error: string][] = [
  [({ services }) => services.includes('s3'), 'needs s3 among the services, which takes the forms'],
  [({ methods }) => methods?.includes('POST') !== false, 'needs POST among the methods, as forms are sent'],
  [({ maxExpiresSeconds }) => maxExpiresSeconds !== 0, 'needs a maxExpiresSeconds of at least 1'],
  [
    ({ postEndpoint, regions }) => postEndpoint !== undefined || regions.every(isAwsRegion),
    'needs postEndpoint, because AWS has no usual endpoint for one of the regions',
  ],
];

export const options = z.strictObject(fields).check(
  ...neededByForms.map(([isSet, error]) =>
    z.refine<Fields>((configured) => configured.maxPostBytes === undefined || isSet(configured), {
      path: ['maxPostBytes'],
      error,
    }),
  ),
);

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
