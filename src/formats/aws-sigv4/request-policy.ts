/** Which AWS requests a key may sign. The signer refuses every request that these lists do not allow. */

import * as z from 'zod/mini';
import { SignerError } from '../../api/errors.ts';
import { type HttpMessage, methodPattern } from '../http-request.ts';
import { type Tolerance, toleranceFields, toTolerance } from '../tolerance.ts';
import { comparablePath } from './canonical-request.ts';

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
  readonly allowUnsignedPayload: boolean;
}

/** A week, the longest that AWS accepts. */
export const longestExpiresSeconds = 604_800;

const scopePart = z
  .string()
  .check(
    z.regex(/^[a-z0-9-]{1,64}$/, 'must be like s3 or eu-central-1: lower-case letters, digits and hyphens'),
  );
const list = <T extends z.ZodMiniType>(element: T) => z.array(element).check(z.minLength(1), z.maxLength(64));

export const options = z.strictObject({
  accessKeyId: z.string().check(z.regex(/^[\w.~-]{3,128}$/, 'must be an access key id, like AKIDEXAMPLE')),
  services: list(scopePart),
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
  ...toleranceFields,
});

export function createAwsPolicy(configured: z.infer<typeof options>): AwsPolicy {
  return {
    ...configured,
    maxExpiresSeconds: configured.maxExpiresSeconds ?? 3600,
    allowUnsignedPayload: configured.allowUnsignedPayload ?? false,
    ...toTolerance(configured),
  };
}

/** The option that does not allow this request; undefined if all do. */
export function forbidden(
  { hosts, methods, pathPrefixes }: AwsPolicy,
  { authority, method, path, fields }: HttpMessage,
  service: string,
): 'hosts' | 'methods' | 'pathPrefixes' | undefined {
  const isHost = (host: string) =>
    host.startsWith('*.') ? authority.endsWith(host.slice(1)) : authority === host;
  if (hosts?.some(isHost) === false) return 'hosts';
  if (methods?.includes(method) === false) return 'methods';
  const comparable = comparablePath(service, path);
  const isPath = (prefix: string) => comparable.startsWith(comparablePath(service, prefix));
  // With this header, S3 copies from another path than the one in the URL.
  if (pathPrefixes && (fields.has('x-amz-copy-source') || !pathPrefixes.some(isPath))) return 'pathPrefixes';
  return undefined;
}

export function notAllowed(option: keyof AwsPolicy): SignerError {
  return new SignerError(
    'operation_not_allowed',
    `this key may not sign such a request; its configuration limits it by "${option}"`,
  );
}
