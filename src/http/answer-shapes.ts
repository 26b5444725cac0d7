/** What the signing listener answers, as schemas. The compiler refuses one that does not fit the types of the wire. */

import * as z from 'zod/mini';
import type { Problem } from '../api/errors.ts';
import { errorCodes } from '../api/errors.ts';
import type {
  CookieVerification,
  Formats,
  JwtVerification,
  KeySetDescription,
  Verification,
  VerificationFailure,
  WebhookSignature,
} from '../api/messages.ts';
import { algorithmNames } from '../signing/mac.ts';
import { operations } from '../signing/policy.ts';

const text = z.string();
const texts = z.record(text, text);
const keyId = text;
/** All of them: the compiler would not miss one in a list. */
const failures: Readonly<Record<VerificationFailure, true>> = {
  missing: true,
  malformed: true,
  mismatch: true,
  expired: true,
  not_yet_valid: true,
  not_allowed: true,
};
const reason = z.enum(Object.keys(failures) as VerificationFailure[]);
const invalid = z.object({ valid: z.literal(false), reason });
const valid = { valid: z.literal(true), keyId, primary: z.boolean() };
const verification: z.ZodMiniType<Verification> = z.union([z.object(valid), invalid]);
const headers: z.ZodMiniType<WebhookSignature> = z.object({ headers: texts, keyId });
const webhook = { signature: headers, verification };
const claims: z.ZodMiniType<JwtVerification> = z.union([
  z.object({ ...valid, claims: z.record(text, z.unknown()) }),
  invalid,
]);
const value: z.ZodMiniType<CookieVerification> = z.union([z.object({ ...valid, value: text }), invalid]);

type Answers = {
  readonly [F in keyof Formats]: {
    readonly signature: z.ZodMiniType<Formats[F]['signature']>;
    readonly verification: z.ZodMiniType<Formats[F]['verification']>;
  };
};

/** What each format answers. */
export const answers: Answers = {
  raw: { signature: z.object({ signature: text, keyId, algorithm: z.enum(algorithmNames) }), verification },
  jwt: { signature: z.object({ token: text, keyId, expiresAt: text }), verification: claims },
  'standard-webhooks': webhook,
  github: webhook,
  shopify: webhook,
  stripe: webhook,
  slack: webhook,
  cookie: { signature: z.object({ cookie: text, keyId }), verification: value },
  'http-signature': {
    signature: headers,
    verification: z.union([z.object({ ...valid, nonce: z.exactOptional(text) }), invalid]),
  },
  'aws-sigv4': { signature: z.union([headers, z.object({ url: text, keyId })]), verification },
};

export const keySet: z.ZodMiniType<KeySetDescription> = z.object({
  name: text,
  format: z.enum(Object.keys(answers) as (keyof Formats)[]),
  algorithm: text,
  allow: z.array(z.enum(operations)),
  keyIds: z.array(text),
  primary: text,
  since: text,
  derived: z.exactOptional(z.literal(true)),
  policy: z.record(text, z.unknown()),
});

export const problem: z.ZodMiniType<Problem> = z.object({
  type: text,
  title: text,
  status: z.int(),
  detail: text,
  code: z.enum(Object.keys(errorCodes) as (keyof typeof errorCodes)[]),
});
