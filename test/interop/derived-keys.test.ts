/**
 * The secrets of tenants, as `keys derive` prints them: given to independent clients, each accepts what the signer signs
 * for that tenant, and signs what the signer accepts from it.
 */

import { execFileSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { sign as signHook, verify as verifyHook } from '@octokit/webhooks-methods';
import { sign as signCookie, unsign } from 'cookie-signature';
import { createVerifier, httpbis } from 'http-message-signatures';
import { base64url, jwtVerify, SignJWT } from 'jose';
import { Webhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formats } from '../../src/formats/index.ts';
import { run } from '../support/command.ts';
import { type ConfiguredSigner, startConfigured } from '../support/configured.ts';

const { webhooks } = new Stripe('sk_test_unused');
/** For `aws-sigv4` a tenant's secret would be one that AWS does not know, and `webhook` needs a scheme. */
const names = [...formats.keys()].filter((name) => !['aws-sigv4', 'webhook'].includes(name));
const roots = new Map(names.map((name) => [name, randomBytes(32).toString('hex')]));
const body = '{"type":"invoice.paid","note":"naïve ☃"}';
let running: ConfiguredSigner;

beforeAll(async () => {
  const keySet = (format: string) => ({ deriveFrom: format, encoding: 'hex', format, allowExport: true });
  running = await startConfigured(
    Object.fromEntries(roots),
    Object.fromEntries(names.map((name) => [name, keySet(name)])),
  );
});
afterAll(() => running[Symbol.asyncDispose]());

const secretOf = async (keySet: string, tenant: string) => {
  const { code, stdout, stderr } = await run(['keys', 'derive', keySet, tenant, ...running.args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^\S+\n$/);
  return stdout.trim();
};

describe.each(['acme', '__proto__'])('the tenant %s', (tenant) => {
  it('has a secret of standard-webhooks', async () => {
    const secret = await secretOf('standard-webhooks', tenant);
    const hooks = running.client.keySet('standard-webhooks', 'standard-webhooks');
    const receiver = new Webhook(secret);
    const { headers } = await hooks.sign({ body, tenant });
    expect(secret).toMatch(/^whsec_/);
    expect(receiver.verify(body, headers)).toEqual(JSON.parse(body));
    expect(() => new Webhook(`whsec_${randomBytes(32).toString('base64')}`).verify(body, headers)).toThrow();
    const now = new Date();
    const theirs = {
      'webhook-id': 'msg_1',
      'webhook-timestamp': `${Math.floor(now.getTime() / 1000)}`,
      'webhook-signature': receiver.sign('msg_1', now, body),
    };
    expect(await hooks.verify({ body, tenant, headers: theirs })).toMatchObject({ valid: true });
    expect(await hooks.verify({ body, tenant: 'another', headers: theirs })).toEqual({
      valid: false,
      reason: 'mismatch',
    });
  });

  it('has a secret of stripe', async () => {
    const secret = await secretOf('stripe', tenant);
    const events = running.client.keySet('stripe', 'stripe');
    const { headers } = await events.sign({ body, tenant });
    const event = webhooks.constructEvent(body, headers['Stripe-Signature'] ?? '', secret);
    expect(event).toMatchObject({ type: 'invoice.paid' });
    const theirs = { 'Stripe-Signature': webhooks.generateTestHeaderString({ payload: body, secret }) };
    expect(await events.verify({ body, tenant, headers: theirs })).toMatchObject({ valid: true });
  });

  it('has a secret of github', async () => {
    const secret = await secretOf('github', tenant);
    const hook = running.client.keySet('github', 'github');
    const { headers } = await hook.sign({ body, tenant });
    expect(await verifyHook(secret, body, headers['X-Hub-Signature-256'] ?? '')).toBe(true);
    const theirs = { 'X-Hub-Signature-256': await signHook(secret, body) };
    expect(await hook.verify({ body, tenant, headers: theirs })).toMatchObject({ valid: true });
  });

  it('has a secret of shopify, of slack and of cookies, each as text', async () => {
    const shop = await secretOf('shopify', tenant);
    const { headers } = await running.client.keySet('shopify', 'shopify').sign({ body, tenant });
    expect(headers['X-Shopify-Hmac-Sha256']).toBe(createHmac('sha256', shop).update(body).digest('base64'));

    const slack = await secretOf('slack', tenant);
    const signed = (await running.client.keySet('slack', 'slack').sign({ body, tenant })).headers;
    const base = `v0:${signed['X-Slack-Request-Timestamp']}:${body}`;
    expect(signed['X-Slack-Signature']).toBe(`v0=${createHmac('sha256', slack).update(base).digest('hex')}`);

    const session = await secretOf('cookie', tenant);
    const { cookie } = await running.client.keySet('cookie', 'cookie').sign({ value: 'visitor-1', tenant });
    expect(unsign(cookie.slice(2), session)).toBe('visitor-1');
    const theirs = `s:${signCookie('visitor-2', session)}`;
    expect(await running.client.keySet('cookie', 'cookie').verify({ cookie: theirs, tenant })).toMatchObject({
      valid: true,
      value: 'visitor-2',
    });
  });

  it('has a secret of jwt, in base64url as the k of a JWK', async () => {
    const secret = base64url.decode(await secretOf('jwt', tenant));
    const tokens = running.client.keySet('jwt', 'jwt');
    const { token, keyId } = await tokens.sign({ claims: { sub: 'user-1' }, tenant });
    const { payload, protectedHeader } = await jwtVerify(token, secret);
    expect([payload.sub, protectedHeader.kid]).toEqual(['user-1', keyId]);
    const theirs = new SignJWT({ sub: 'user-2' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('5m');
    const verdict = await tokens.verify({ token: await theirs.sign(secret), tenant });
    expect(verdict).toMatchObject({ valid: true, claims: { sub: 'user-2' } });
  });

  it('has a secret of http-signature, in hex', async () => {
    const secret = Buffer.from(await secretOf('http-signature', tenant), 'hex');
    const request = { method: 'GET', url: 'https://example.com/orders?id=7' };
    const keySet = running.client.keySet('http-signature', 'http-signature');
    const { headers, keyId } = await keySet.sign({ ...request, tenant });
    const verified = await httpbis.verifyMessage(
      {
        keyLookup: async () => ({
          id: keyId,
          algs: ['hmac-sha256'],
          verify: createVerifier(secret, 'hmac-sha256'),
        }),
      },
      { ...request, headers: { ...headers } },
    );
    expect(verified).toBe(true);
  });

  it('has a secret of raw, in hex, which OpenSSL derives from the root as docs/derived-keys.md says', async () => {
    const secret = await secretOf('raw', tenant);
    const { signature } = await running.client.keySet('raw', 'raw').sign({ message: body, tenant });
    const key = Buffer.from(secret, 'hex');
    expect(signature).toBe(createHmac('sha256', key).update(body).digest('hex'));
    const info = Buffer.from(`sidecar-signer/v1\0raw\0${tenant}`).toString('hex');
    const options = ['digest:SHA256', `hexkey:${roots.get('raw')}`, 'salt:sidecar-signer', `hexinfo:${info}`];
    const args = ['kdf', '-keylen', '32', ...options.flatMap((each) => ['-kdfopt', each]), '-binary', 'HKDF'];
    expect(execFileSync('openssl', args).toString('hex')).toBe(secret);
  });
});
