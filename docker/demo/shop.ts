/**
 * What the shop has signed: the webhook of an order, and the token of a session. Two ways to get that done: by the
 * signer next door, or with a key of the shop's own, which is how it is usually done and why the attack works there.
 */

import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { SignerClient } from 'sidecar-signer/client';

export interface SignedOrder {
  readonly headers: Readonly<Record<string, string>>;
  readonly keyId: string;
}

export interface Verdict {
  readonly valid: boolean;
  readonly keyId?: string;
  readonly primary?: boolean;
  readonly reason?: string;
  readonly claims?: unknown;
}

export interface Shop {
  /** Whether the shop holds the key itself. */
  readonly holdsKey: boolean;
  signOrder(body: string): Promise<SignedOrder>;
  verifyOrder(body: string, headers: Readonly<Record<string, string>>): Promise<Verdict>;
  startSession(user: string): Promise<{ readonly token: string; readonly keyId: string }>;
  verifySession(token: string): Promise<Verdict>;
  /** The key ids in use by key set, and since when. */
  keys(): Promise<readonly { readonly name: string; readonly primary: string; readonly since: string }[]>;
}

/** The shop of the demo: it has no key, and asks. */
export function shopWithSigner(url: string): Shop {
  const signer = new SignerClient({ url });
  const orders = signer.keySet('orders-webhook', 'standard-webhooks');
  const sessions = signer.keySet('session', 'jwt');
  return {
    holdsKey: false,
    signOrder: (body) => orders.sign({ body }),
    verifyOrder: (body, headers) => orders.verify({ body, headers }),
    startSession: (user) => sessions.sign({ claims: { sub: user }, lifetimeSeconds: 600 }),
    verifySession: (token) => sessions.verify({ token }),
    keys: () => signer.keySets(),
  };
}

/** The counter-example: the same shop, with the keys mounted where it can read them. */
export function shopWithOwnKey(directory: string): Shop {
  const since = new Date().toISOString();
  const webhookKey = () => {
    const secret = readFileSync(`${directory}/orders-webhook`, 'utf8');
    return Buffer.from(secret.replace('whsec_', ''), 'base64');
  };
  const sessionKey = () => {
    const set = JSON.parse(readFileSync(`${directory}/session.jwks.json`, 'utf8'));
    return Buffer.from(set.keys[0].k, 'base64url');
  };
  const tag = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const equal = (a: Buffer, b: Buffer) => a.length === b.length && timingSafeEqual(a, b);
  const webhookTag = (body: string, id = '', time = '') => tag(webhookKey(), `${id}.${time}.${body}`);
  return {
    holdsKey: true,
    signOrder: async (body) => {
      const id = `msg_${randomUUID().replaceAll('-', '')}`;
      const time = `${Math.floor(Date.now() / 1000)}`;
      const signature = `v1,${webhookTag(body, id, time).toString('base64')}`;
      const headers = { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signature };
      return { headers, keyId: 'its own' };
    },
    verifyOrder: async (body, headers) => {
      const expected = webhookTag(body, headers['webhook-id'], headers['webhook-timestamp']);
      const given = Buffer.from((headers['webhook-signature'] ?? '').replace('v1,', ''), 'base64');
      return equal(expected, given)
        ? { valid: true, keyId: 'its own', primary: true }
        : { valid: false, reason: 'mismatch' };
    },
    startSession: async (user) => {
      const iat = Math.floor(Date.now() / 1000);
      const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const input = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub: user, iat, exp: iat + 600 })}`;
      return { token: `${input}.${tag(sessionKey(), input).toString('base64url')}`, keyId: 'its own' };
    },
    verifySession: async (token) => {
      const [header, payload = '', signature = ''] = token.split('.');
      const expected = tag(sessionKey(), `${header}.${payload}`);
      if (!equal(expected, Buffer.from(signature, 'base64url'))) return { valid: false, reason: 'mismatch' };
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
      return { valid: true, keyId: 'its own', primary: true, claims };
    },
    keys: async () => ['orders-webhook', 'session'].map((name) => ({ name, primary: 'its own', since })),
  };
}
