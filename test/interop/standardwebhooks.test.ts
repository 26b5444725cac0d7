/** `standardwebhooks`, the reference library of Standard Webhooks, with one secret on both sides. */

import { randomBytes } from 'node:crypto';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConfiguredSigner, startConfigured } from '../support/configured.ts';

const secrets = [0, 1].map(() => `whsec_${randomBytes(32).toString('base64')}`);
const [secret = '', oldSecret = ''] = secrets;
const receiver = new Webhook(secret);
const body = '{"type":"invoice.paid","note":"naïve ☃"}';
const jwk = (kid: string, whsec: string) => ({
  kty: 'oct',
  kid,
  k: Buffer.from(whsec.slice('whsec_'.length), 'base64').toString('base64url'),
});
const jwks = JSON.stringify({ primary: 'new', keys: [jwk('new', secret), jwk('old', oldSecret)] });
let running: ConfiguredSigner;

beforeAll(async () => {
  running = await startConfigured(
    { endpoint: `${secret}\n`, 'both.jwks.json': Buffer.from(jwks) },
    {
      endpoint: { encoding: 'whsec', format: 'standard-webhooks' },
      // The same keys are refused under a second name, so the set has its own signer below.
    },
  );
});
afterAll(() => running[Symbol.asyncDispose]());

describe('a message that we sign', () => {
  it.each([undefined, 'msg_2KWPBgLlAfxdpx2AI54pPJ85f4W'])('with the id %s is accepted', async (id) => {
    const endpoint = running.client.keySet('endpoint', 'standard-webhooks');
    const { headers } = await endpoint.sign({ body, ...(id !== undefined && { id }) });
    expect(receiver.verify(body, headers)).toEqual(JSON.parse(body));
    if (id !== undefined) expect(headers['webhook-id']).toBe(id);
    expect(() => receiver.verify(`${body} `, headers)).toThrow(WebhookVerificationError);
  });

  it('as it is sent, of whatever length, is accepted', async () => {
    const long = JSON.stringify({ data: randomBytes(300_000).toString('base64') });
    const endpoint = running.client.keySet('endpoint', 'standard-webhooks');
    const { headers } = await endpoint.signMessage(Buffer.from(long));
    expect(receiver.verify(long, headers)).toEqual(JSON.parse(long));
  });

  it('while the key is rotated is accepted by receivers with either key', async () => {
    await using rotating = await startConfigured(
      { 'both.jwks.json': jwks },
      {
        both: {
          file: 'both.jwks.json',
          format: 'standard-webhooks',
          'standard-webhooks': { signWith: 'all' },
        },
      },
    );
    const { headers, keyId } = await rotating.client.keySet('both', 'standard-webhooks').sign({ body });
    expect(keyId).toBe('new');
    for (const each of secrets) expect(new Webhook(each).verify(body, headers)).toEqual(JSON.parse(body));
  });
});

describe('a message that it signs', () => {
  const headersAt = (date: Date, id = 'msg_1') => ({
    'webhook-id': id,
    'webhook-timestamp': `${Math.floor(date.getTime() / 1000)}`,
    'webhook-signature': receiver.sign(id, date, body),
  });
  const verify = (headers: Record<string, string>) =>
    running.client.keySet('endpoint', 'standard-webhooks').verify({ body, headers });

  it('is verified, under the older names of its headers too', async () => {
    const headers = headersAt(new Date());
    expect(await verify(headers)).toMatchObject({ valid: true, primary: true });
    const older = Object.entries(headers).map(([name, value]) => [name.replace('webhook', 'svix'), value]);
    expect(await verify(Object.fromEntries(older))).toMatchObject({ valid: true });
  });

  it('is refused a day early and a day late', async () => {
    const dayMs = 86_400_000;
    expect(await verify(headersAt(new Date(Date.now() - dayMs)))).toEqual({
      valid: false,
      reason: 'expired',
    });
    expect(await verify(headersAt(new Date(Date.now() + dayMs)))).toEqual({
      valid: false,
      reason: 'not_yet_valid',
    });
  });

  it('is refused where that library is lenient with a timestamp', async () => {
    const headers = headersAt(new Date());
    const lenient = { ...headers, 'webhook-timestamp': `${headers['webhook-timestamp']}abc` };
    expect(receiver.verify(body, lenient)).toEqual(JSON.parse(body));
    expect(await verify(lenient)).toEqual({ valid: false, reason: 'malformed' });
  });

  it('is refused by another key', async () => {
    const foreign = new Webhook(oldSecret).sign('msg_1', new Date(), body);
    expect(await verify({ ...headersAt(new Date()), 'webhook-signature': foreign })).toEqual({
      valid: false,
      reason: 'mismatch',
    });
  });
});
