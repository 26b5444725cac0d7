/**
 * The format `signed-url`: URLs that expire, for downloads, images and links in mails. The signer sets the expiry, and the
 * key set's configuration limits which URLs it signs. The scheme says how the signature is written: in the signer's own
 * way, or in that of a program that verifies it.
 */

import * as z from 'zod/mini';
import type { SignedUrlSignRequest, SignedUrlVerifyRequest } from '../../api/messages.ts';
import { parse } from '../../api/schema.ts';
import { text, verificationWith } from '../answers.ts';
import { defineFormat } from '../definition.ts';
import { options } from './options.ts';
import { createUrlPolicy, describePolicy } from './policy.ts';
import { sign } from './sign.ts';
import { verify } from './verify.ts';

const verifyRequest: z.ZodMiniType<SignedUrlVerifyRequest> = z.strictObject({
  url: text,
  method: z.optional(text),
});
const signRequest: z.ZodMiniType<SignedUrlSignRequest> = z.strictObject({
  url: text,
  method: z.optional(text),
  expiresSeconds: z.optional(z.int().check(z.gte(1))),
});

export const signedUrl = defineFormat({
  name: 'signed-url',
  fields: { 'signed-url': z.optional(options) },
  requests: { sign: signRequest, verify: verifyRequest },
  answers: {
    signature: z.object({ url: text, expiresAt: text, keyId: text }),
    verification: verificationWith({ expiresAt: text }),
  },
  create: ({ 'signed-url': configured = {} }) => {
    const policy = createUrlPolicy(configured);
    return {
      options: describePolicy(configured),
      algorithms: ['HS256'],
      minKeyBytes: () => 16,
      // The key of Laravel is the text of APP_KEY, with its prefix.
      secretEncoding: configured.scheme === 'laravel' ? 'text' : 'hex',
      sign: (context, request) => sign(policy, context, parse(signRequest, request)),
      verify: (context, request) => verify(policy, context, parse(verifyRequest, request)),
    };
  },
});
