/** `stripe`, Stripe's own library, with one secret on both sides. */

import { randomBytes } from 'node:crypto';
import Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConfiguredSigner, startConfigured } from '../support/configured.ts';

const { webhooks } = new Stripe('sk_test_unused');
const secrets = ['new', 'old'].map(() => `whsec_${randomBytes(24).toString('base64')}`);
const [secret = '', oldSecret = ''] = secrets;
const payload = JSON.stringify({ id: 'evt_1', object: 'event', note: 'naïve ☃' }, null, 2);
const name = 'Stripe-Signature';
let running: ConfiguredSigner;
const events = () => running.client.keySet('events', 'stripe');

beforeAll(async () => {
  running = await startConfigured(
    { events: `${secret}\n` },
    { events: { encoding: 'text', format: 'stripe' } },
  );
});
afterAll(() => running[Symbol.asyncDispose]());

describe('an event that we sign', () => {
  it('is accepted', async () => {
    const { headers } = await events().sign({ body: payload });
    expect(webhooks.constructEvent(payload, headers[name] ?? '', secret)).toMatchObject({ id: 'evt_1' });
    expect(() => webhooks.constructEvent(`${payload} `, headers[name] ?? '', secret)).toThrow('signature');
  });

  it('is accepted when it is sent as it is', async () => {
    const { headers } = await events().signMessage(Buffer.from(payload));
    expect(webhooks.constructEvent(payload, headers[name] ?? '', secret)).toMatchObject({ id: 'evt_1' });
  });

  it('while the key is rotated is accepted by receivers with either key', async () => {
    const jwk = (kid: string, text: string) => ({
      kty: 'oct',
      kid,
      k: Buffer.from(text).toString('base64url'),
    });
    const jwks = { primary: 'new', keys: [jwk('old', oldSecret), jwk('new', secret)] };
    await using rotating = await startConfigured(
      { 'both.jwks.json': JSON.stringify(jwks) },
      { both: { file: 'both.jwks.json', format: 'stripe', stripe: { signWith: 'all' } } },
    );
    const { headers } = await rotating.client.keySet('both', 'stripe').sign({ body: payload });
    for (const each of secrets) {
      expect(webhooks.constructEvent(payload, headers[name] ?? '', each)).toMatchObject({ id: 'evt_1' });
    }
  });
});

describe('an event that it signs', () => {
  const headersAt = (timestamp: number, by = secret) => ({
    [name]: webhooks.generateTestHeaderString({ payload, secret: by, timestamp }),
  });
  const now = () => Math.floor(Date.now() / 1000);

  it('is verified', async () => {
    expect(await events().verify({ body: payload, headers: headersAt(now()) })).toMatchObject({
      valid: true,
    });
  });

  it('is refused a day early, where that library is lenient, and a day late', async () => {
    const early = headersAt(now() + 86_400);
    expect(webhooks.constructEvent(payload, early[name] ?? '', secret)).toMatchObject({ id: 'evt_1' });
    expect(await events().verify({ body: payload, headers: early })).toEqual({
      valid: false,
      reason: 'not_yet_valid',
    });
    expect(await events().verify({ body: payload, headers: headersAt(now() - 86_400) })).toEqual({
      valid: false,
      reason: 'expired',
    });
  });

  it('is refused by another key', async () => {
    expect(await events().verify({ body: payload, headers: headersAt(now(), oldSecret) })).toEqual({
      valid: false,
      reason: 'mismatch',
    });
  });
});
