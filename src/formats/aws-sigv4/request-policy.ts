/** Which AWS requests a key may sign. The signer refuses every request that these lists do not allow. */

import * as z from 'zod/mini';
import { SignerError } from '../../api/errors.ts';
import { mayLeave } from '../dot-segments.ts';
import type { HttpMessage } from '../http-request.ts';
import { hostList, isListedHost, list, methodList, pathPrefixList } from '../request-limits.ts';
import { type Tolerance, toleranceFields, toTolerance } from '../tolerance.ts';
import { comparablePath, isS3, type Parameters } from './canonical-request.ts';

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

export const options = z.strictObject({
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

/**
 * Headers that name an object beside the one in the URL: the source of a copy or of a rename, at AWS and at compatible
 * services (`x-goog-`, `x-oss-` and others), the target of a symbolic link or of a processed image, the parts of a large
 * object, and where a service unpacks an archive. S3 also reads them as parameters of a presigned URL, and `compose` is a
 * parameter of Google's. Some servers read an underscore in such a name as a hyphen.
 */
const namesAnotherObject = new RegExp(
  [
    '^x[-_](?:[a-z0-9]+[-_])?(?:(?:copy|move|rename)[-_](?:source|from)|symlink[-_]target|save[-_](?:object|bucket))',
    '^x[-_](?:[a-z0-9]+[-_])?object[-_]manifest',
    '^x[-_]amz[-_]meta[-_](?:minio[-_])?snowball[-_]',
    '^compose(?:$|=|%3D)',
  ].join('|'),
  'i',
);

/** The option that does not allow this request; undefined if all do. */
export function forbidden(
  { hosts, methods, pathPrefixes, allowCopy }: AwsPolicy,
  { authority, method, path, fields }: HttpMessage,
  parameters: Parameters,
  service: string,
): 'hosts' | 'methods' | 'pathPrefixes' | 'allowCopy' | undefined {
  if (hosts !== undefined && !isListedHost(hosts, authority)) return 'hosts';
  if (methods?.includes(method) === false) return 'methods';
  const comparable = comparablePath(service, path);
  const isPath = (prefix: string) => comparable.startsWith(comparablePath(service, prefix));
  if (pathPrefixes?.some(isPath) === false) return 'pathPrefixes';
  const limit = pathPrefixes ? 'pathPrefixes' : hosts && 'hosts';
  if (limit !== undefined && mayLeave(path)) return limit;
  if (allowCopy) return undefined;
  // Some servers also separate parameters by semicolons.
  const inQuery = parameters.flatMap(([name, value]) => `${name}=${value}`.split('%3B'));
  return [...fields.keys(), ...inQuery].some((name) => namesAnotherObject.test(name))
    ? 'allowCopy'
    : undefined;
}

export function notAllowed(option: keyof AwsPolicy): SignerError {
  return new SignerError(
    'operation_not_allowed',
    `this key may not sign such a request; its configuration limits it by "${option}"`,
  );
}
