/**
 * The format `aws-sigv4`: AWS Signature Version 4 for HTTP requests, in headers or as presigned URLs, and for the forms of
 * uploads (presigned POST). The signer builds the canonical request and the POST policy document itself, so that it can
 * check them against the key set's policy. It never signs a string or a hash that the caller built.
 */

import * as z from 'zod/mini';
import type { AwsRequest, AwsSignRequest } from '../../api/messages.ts';
import { parse } from '../../api/schema.ts';
import { headersAnswer, text, verification } from '../answers.ts';
import { defineFormat } from '../definition.ts';
import { httpRequestFields } from '../http-request.ts';
import { createAwsPolicy, longestExpiresSeconds, options } from './options.ts';
import { signPost } from './post.ts';
import { asksForPost, postRequest } from './post-request.ts';
import { sign } from './sign.ts';
import { createSigningKeys } from './signing-key.ts';
import { verify } from './verify.ts';

const fields = {
  ...httpRequestFields,
  bodySha256: z.optional(z.string().check(z.regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in lower-case hex'))),
};
const verifyRequest: z.ZodMiniType<AwsRequest> = z.strictObject(fields);
const signRequest: z.ZodMiniType<AwsSignRequest> = z.strictObject({
  ...fields,
  service: z.optional(z.string()),
  region: z.optional(z.string()),
  unsignedPayload: z.optional(z.boolean()),
  presign: z.optional(
    z.strictObject({ expiresSeconds: z.int().check(z.gte(1), z.lte(longestExpiresSeconds)) }),
  ),
});

export const awsSigv4 = defineFormat({
  name: 'aws-sigv4',
  fields: { 'aws-sigv4': options },
  requests: { sign: z.union([signRequest, postRequest]), verify: verifyRequest },
  answers: {
    signature: z.union([
      headersAnswer,
      z.object({ url: text, fields: z.record(text, text), keyId: text }),
      z.object({ url: text, keyId: text }),
    ]),
    verification,
  },
  create: ({ 'aws-sigv4': configured }) => {
    const policy = createAwsPolicy(configured);
    const signingKeys = createSigningKeys();
    return {
      options: policy,
      algorithms: ['HS256'],
      minKeyBytes: () => 16,
      keyPrefix: 'AWS4',
      secretEncoding: 'text',
      sign: (context, request) =>
        asksForPost(request)
          ? signPost(policy, signingKeys, context, parse(postRequest, request))
          : sign(policy, signingKeys, context, parse(signRequest, request)),
      verify: (context, request) => verify(policy, signingKeys, context, parse(verifyRequest, request)),
    };
  },
});
