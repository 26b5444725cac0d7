/**
 * The format `signed-url`: URLs that expire, for downloads, images and links in mails. The signer sets the expiry, and the
 * key set's configuration limits which URLs it signs. The scheme says how the signature is written: in the signer's own
 * way, or in that of a program that verifies it.
 */

import * as z from 'zod/mini';
import type { SignedUrlSignRequest, SignedUrlVerifyRequest } from '../../api/messages.ts';
import { onDemand, parse } from '../../api/schema.ts';
import { text, verificationWith } from '../answers.ts';
import { defineFormat } from '../definition.ts';
import { createOptions } from './options.ts';
import { createUrlPolicy, describePolicy } from './policy.ts';
import { sign } from './sign.ts';
import { verify } from './verify.ts';

const fields = onDemand(() => ({ 'signed-url': z.optional(createOptions()) }));
const requests = onDemand(() => {
  const target = { url: text, method: z.optional(text) };
  const sign: z.ZodMiniType<SignedUrlSignRequest> = z.strictObject({
    ...target,
    expiresSeconds: z.optional(z.int().check(z.gte(1))),
  });
  const verify: z.ZodMiniType<SignedUrlVerifyRequest> = z.strictObject(target);
  return { sign, verify };
});
const answers = onDemand(() => ({
  signature: z.object({ url: text, expiresAt: text, keyId: text }),
  verification: verificationWith({ expiresAt: text }),
}));

export const signedUrl = defineFormat({
  name: 'signed-url',
  get fields() {
    return fields();
  },
  get requests() {
    return requests();
  },
  get answers() {
    return answers();
  },
  create: ({ 'signed-url': configured = {} }) => {
    const policy = createUrlPolicy(configured);
    return {
      options: describePolicy(configured),
      algorithms: ['HS256'],
      minKeyBytes: () => 16,
      // The key of Laravel is the text of APP_KEY, with its prefix.
      secretEncoding: configured.scheme === 'laravel' ? 'text' : 'hex',
      sign: (context, request) => sign(policy, context, parse(requests().sign, request)),
      verify: (context, request) => verify(policy, context, parse(requests().verify, request)),
    };
  },
});
