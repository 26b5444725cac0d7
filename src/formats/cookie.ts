/**
 * The format `cookie`: a signed cookie of Express (`cookie-signature`). It signs the caller's text as it is and for
 * ever, so a key set of this format must not share its key with anything else.
 */

import * as z from 'zod/mini';
import type {
  CookieSignature,
  CookieSignRequest,
  CookieVerification,
  CookieVerifyRequest,
  Verification,
} from '../api/messages.ts';
import { parse } from '../api/schema.ts';
import { decodeExactly, encode } from '../bytes/encoding.ts';
import { verification } from '../signing/format.ts';
import { indexOfTag, tagBytes, tagOf } from '../signing/mac.ts';
import { defineFormat } from './definition.ts';
import { messageBytes } from './message.ts';

const signRequest: z.ZodMiniType<CookieSignRequest> = z.strictObject({ value: z.string() });
const verifyRequest: z.ZodMiniType<CookieVerifyRequest> = z.strictObject({ cookie: z.string() });

const algorithm = 'HS256';
const prefix = 's:';

export const cookie = defineFormat('cookie', {}, { sign: signRequest, verify: verifyRequest }, () => ({
  name: 'cookie',
  options: {},
  algorithms: [algorithm],
  minKeyBytes: () => 0,
  secretEncoding: 'text',
  sign: (context, request): CookieSignature => {
    const { value } = parse(signRequest, request);
    const message = messageBytes('value', value);
    context.checkSize(message.length);
    const [{ id, mac }] = context.keys;
    return { cookie: `${prefix}${value}.${withoutPadding(tagOf(mac, message))}`, keyId: id };
  },
  verify: (context, request): CookieVerification => {
    const { cookie } = parse(verifyRequest, request);
    const message = messageBytes('cookie', cookie);
    context.checkSize(message.length);
    const end = cookie.lastIndexOf('.');
    if (!cookie.startsWith(prefix) || end < 0) return { valid: false, reason: 'malformed' };
    const given = decodeExactly(`${cookie.slice(end + 1)}=`, 'base64');
    if (given?.length !== tagBytes(algorithm)) return { valid: false, reason: 'malformed' };
    const value = cookie.slice(prefix.length, end);
    const signed = Buffer.from(value);
    const tags = context.keys.map(({ mac }) => tagOf(mac, signed));
    const verified: Verification = verification(context.keys, indexOfTag(tags, given));
    return verified.valid ? { ...verified, value } : verified;
  },
}));

function withoutPadding(tag: Buffer): string {
  return encode(tag, 'base64').replace(/=+$/, '');
}
