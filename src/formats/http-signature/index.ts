/**
 * The format `http-signature`: HTTP Message Signatures (RFC 9421) with `hmac-sha256`, over requests. The key set's
 * configuration decides what a signature covers; the signer writes the digest of the body and all signature parameters.
 */

import * as z from 'zod/mini';
import type { HttpRequest } from '../../api/messages.ts';
import { parse } from '../../api/schema.ts';
import { headersAnswer, text, verificationWith } from '../answers.ts';
import { defineFormat } from '../definition.ts';
import { httpRequestFields, parseHttpRequest } from '../http-request.ts';
import { createCoveragePolicy, defaultComponents, options } from './coverage.ts';
import { sign } from './sign.ts';
import { verify } from './verify.ts';

const httpRequest: z.ZodMiniType<HttpRequest> = z.strictObject(httpRequestFields);

export const httpSignature = defineFormat({
  name: 'http-signature',
  fields: { 'http-signature': z.optional(options) },
  requests: { sign: httpRequest, verify: httpRequest },
  answers: {
    signature: headersAnswer,
    verification: verificationWith({ nonce: z.exactOptional(text) }),
  },
  create: ({ 'http-signature': configured = {} }) => {
    const policy = createCoveragePolicy(configured);
    return {
      options: { ...policy, components: configured.components ?? defaultComponents },
      algorithms: ['HS256'],
      sign: (context, request) => sign(policy, context, parseHttpRequest(parse(httpRequest, request))),
      verify: (context, request) => verify(policy, context, parseHttpRequest(parse(httpRequest, request))),
    };
  },
});
