/**
 * The format `cookie`: a signed cookie of Express (npm package `cookie-signature`). It signs any text, and the signature
 * never expires, so a key set of this format must not share its key with another one.
 */

import * as z from 'zod/mini';
import type {
  CookieSignature,
  CookieSignRequest,
  CookieVerification,
  CookieVerifyRequest,
} from '../api/messages.ts';
import { parse } from '../api/schema.ts';
import { decodeExactly, encode } from '../bytes/encoding.ts';
import { tagBytes, tagOf } from '../signing/mac.ts';
import { invalid, verifyTag } from '../signing/verify-tag.ts';
import { text, verificationWith } from './answers.ts';
import { defineFormat } from './definition.ts';
import { messageBytes } from './message.ts';

const sign: z.ZodMiniType<CookieSignRequest> = z.strictObject({ value: text });
const verify: z.ZodMiniType<CookieVerifyRequest> = z.strictObject({ cookie: text });

const algorithm = 'HS256';
const prefix = 's:';

export const cookie = defineFormat({
  name: 'cookie',
  fields: {},
  requests: { sign, verify },
  answers: {
    signature: z.object({ cookie: text, keyId: text }),
    verification: verificationWith({ value: text }),
  },
  create: () => ({
    options: {},
    algorithms: [algorithm],
    secretEncoding: 'text',
    sign: (context, request): CookieSignature => {
      const { value } = parse(sign, request);
      const message = messageBytes('value', value);
      context.checkSize(message.length);
      const [{ id, mac }] = context.keys;
      const tag = withoutPadding(tagOf(mac, message));
      if (context.notes) context.notes.signature = tag;
      return { cookie: `${prefix}${value}.${tag}`, keyId: id };
    },
    verify: (context, request): CookieVerification => {
      const { cookie } = parse(verify, request);
      context.checkSize(messageBytes('cookie', cookie).length);
      const end = cookie.lastIndexOf('.');
      if (!cookie.startsWith(prefix) || end < 0) return invalid('malformed');
      const tag = decodeExactly(`${cookie.slice(end + 1)}=`, 'base64');
      if (tag?.length !== tagBytes(algorithm)) return invalid('malformed');
      const value = cookie.slice(prefix.length, end);
      const answer = verifyTag(context.keys, [tag], ({ mac }) => tagOf(mac, value));
      if (!answer.valid) return answer;
      if (context.notes) context.notes.signature = cookie.slice(end + 1);
      return { ...answer, value };
    },
  }),
});

function withoutPadding(tag: Buffer): string {
  return encode(tag, 'base64').replace(/=+$/, '');
}
