/**
 * The counter-example: the same shop, with its keys mounted where it can read them. It uses good libraries, but a key
 * that the shop can read can be stolen.
 */

import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errors, jwtVerify, SignJWT } from 'jose';
import { type Shop, sessionSeconds } from './shop.ts';

const issuer = 'https://shop.example';
const audience = 'shop';

/** @param directory has the files `orders` and `session`, each with a key in hex */
export function shopWithOwnKey(directory: string): Shop {
  const keyOf = (name: string) => Buffer.from(readFileSync(join(directory, name), 'utf8'), 'hex');
  return {
    signOrder: async (body) => {
      const key = keyOf('orders');
      const headers = {
        'webhook-id': `msg_${randomUUID().replaceAll('-', '')}`,
        'webhook-timestamp': `${Math.floor(Date.now() / 1000)}`,
      };
      const tag = webhookTag(key, body, headers).toString('base64');
      return { headers: { ...headers, 'webhook-signature': `v1,${tag}` }, keyId: idOf(key) };
    },
    verifyOrder: async (body, headers) => {
      const key = keyOf('orders');
      const expected = webhookTag(key, body, headers);
      const given = Buffer.from((headers['webhook-signature'] ?? '').replace('v1,', ''), 'base64');
      return expected.length === given.length && timingSafeEqual(expected, given)
        ? { valid: true, keyId: idOf(key), primary: true }
        : { valid: false, reason: 'mismatch' };
    },
    startSession: async (user) => {
      const key = keyOf('session');
      const token = await new SignJWT({ sub: user })
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime(`${sessionSeconds} s`)
        .sign(key);
      return { token, keyId: idOf(key) };
    },
    verifySession: async (token) => {
      const key = keyOf('session');
      try {
        const { payload } = await jwtVerify(token, key, { issuer, audience, algorithms: ['HS256'] });
        return { valid: true, keyId: idOf(key), primary: true, claims: payload };
      } catch (error) {
        if (error instanceof errors.JWSSignatureVerificationFailed)
          return { valid: false, reason: 'mismatch' };
        if (error instanceof errors.JWTExpired) return { valid: false, reason: 'expired' };
        if (error instanceof errors.JOSEError) return { valid: false, reason: 'malformed' };
        throw error;
      }
    },
    keys: async () => {
      const formats = { orders: 'standard-webhooks', session: 'jwt' };
      return Object.entries(formats).map(([name, format]) => {
        const since = statSync(join(directory, name)).mtime.toISOString();
        return { name, format, keyId: idOf(keyOf(name)), earlierKeyIds: [], since };
      });
    },
  };
}

/** The tag as Standard Webhooks defines it. */
function webhookTag(key: Buffer, body: string, headers: Readonly<Record<string, string>>): Buffer {
  const { 'webhook-id': id, 'webhook-timestamp': time } = headers;
  return createHmac('sha256', key).update(`${id}.${time}.${body}`).digest();
}

/** The id of the key, as the signer derives it. */
function idOf(key: Buffer): string {
  return createHmac('sha256', key).update('sidecar-signer key id').digest('hex').slice(0, 16);
}
