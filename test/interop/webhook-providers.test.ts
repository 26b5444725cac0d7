/** Every provider of the table, in both directions: what the provider sends, and what its receivers accept. */

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { providers } from '../../src/api/providers.ts';
import type { Provider } from '../../src/api/webhook-scheme.ts';
import { type ConfiguredSigner, startConfigured } from '../support/configured.ts';
import { readVectors } from '../support/vectors.ts';
import { callRivet, isAccepted, loadClient, officialClients, verifyBox } from './official-clients.ts';
import {
  type Headers,
  json,
  type Message,
  type Moment,
  type ProviderName,
  published,
  senders,
  url,
  type Vector,
  withDigest,
} from './provider-messages.ts';

const names = Object.keys(providers) as ProviderName[];
const messageId = 'msg_2KWPBgLlAfxdpx2AI54pPJ85f4W';

const newSecret = (name: ProviderName) => senders[name].secret?.() ?? randomBytes(32).toString('hex');
const entry = (name: ProviderName): Provider => providers[name];
const keySet = (name: ProviderName) => ({
  format: name,
  encoding: entry(name).secretEncoding ?? 'text',
  allow: ['sign', 'verify', ...(entry(name).challenge ? ['challenge'] : [])],
});
const secrets = new Map(names.map((name) => [name, newSecret(name)]));
const secretOf = (name: ProviderName) => secrets.get(name) ?? '';

let running: ConfiguredSigner;
beforeAll(async () => {
  running = await startConfigured(
    Object.fromEntries(secrets),
    Object.fromEntries(names.map((name) => [name, keySet(name)])),
  );
});
afterAll(() => running?.[Symbol.asyncDispose]());

const call = async (signer: ConfiguredSigner, path: string, request: object) => {
  const response = await signer.signer.call(`/v1/keys/${path}`, request);
  return (await response.json()) as Record<string, unknown>;
};
const verify = (name: ProviderName, message: Message, headers: Headers) =>
  call(running, `${name}/verify`, { ...message, headers });

/** The body alone is the body of the request; what else is signed stands in headers. */
async function stream(path: string, { body, url, method }: Message, received: Headers) {
  const init: RequestInit = {
    method: 'POST',
    body,
    headers: {
      ...received,
      'content-type': 'application/octet-stream',
      ...(url !== undefined && { 'sec-signer-url': url }),
      ...(method !== undefined && { 'sec-signer-method': method }),
    },
  };
  const response = await running.signer.call(`/v1/keys/${path}`, undefined, init);
  return (await response.json()) as Record<string, unknown>;
}

/** A message as the provider sends it now. */
function sent(name: ProviderName) {
  const sender = senders[name];
  const nowMs = Date.now();
  const message = sender.message?.(nowMs) ?? { body: json };
  const moment: Moment = { id: messageId, timestamp: sender.time?.(nowMs) ?? '' };
  return { message, moment, headers: sender.headers(message, secretOf(name), moment) };
}

/** With one bit of the last character flipped. */
function withBitFlipped(text: string): string {
  return text.slice(0, -1) + String.fromCharCode(text.charCodeAt(text.length - 1) ^ 1);
}

const mismatch = { valid: false, reason: 'mismatch' };

describe.each(names)('what %s sends', (name) => {
  it('is verified', async () => {
    const { message, headers } = sent(name);
    expect(await verify(name, message, headers)).toMatchObject({ valid: true });
  });

  it('is verified with the names of the headers in lower case', async () => {
    const { message, headers } = sent(name);
    const lower = Object.entries(headers).map(([header, value]) => [header.toLowerCase(), value]);
    expect(await verify(name, message, Object.fromEntries(lower))).toMatchObject({ valid: true });
  });

  it('is refused with a bit of the body flipped', async () => {
    const { message, headers } = sent(name);
    const body = message.body.replace('snow', 'snov');
    expect(body).not.toBe(message.body);
    expect(await verify(name, { ...message, body }, headers)).toEqual(mismatch);
  });

  it('is refused if it was signed with another secret', async () => {
    const { message, moment } = sent(name);
    const headers = senders[name].headers(message, newSecret(name), moment);
    expect(await verify(name, message, headers)).toEqual(mismatch);
  });

  it('is verified when the body is passed on as it was received', async () => {
    const { message, headers } = sent(name);
    expect(await stream(`${name}/verify`, message, headers)).toMatchObject({ valid: true });
    const body = message.body.replace('snow', 'snov');
    expect(await stream(`${name}/verify`, { ...message, body }, headers)).toEqual(mismatch);
  });

  it('is refused without its headers', async () => {
    expect(await verify(name, sent(name).message, {})).toEqual({ valid: false, reason: 'missing' });
  });
});

describe.each(names.filter((name) => senders[name].time))('the time of %s', (name) => {
  it('is signed', async () => {
    const { message, moment, headers } = sent(name);
    const later = senders[name].time?.(Date.now() + 2_000) ?? '';
    const changed = Object.entries(headers).map(([header, value]) => [
      header,
      value.replace(moment.timestamp, later),
    ]);
    expect(await verify(name, message, Object.fromEntries(changed))).toEqual(mismatch);
  });

  it.each([
    ['expired', -1],
    ['not_yet_valid', 1],
  ])('is refused a day away: %s', async (reason, direction) => {
    const sender = senders[name];
    const { message } = sent(name);
    const timestamp = sender.time?.(Date.now() + direction * 86_400_000) ?? '';
    const headers = sender.headers(message, secretOf(name), { id: messageId, timestamp });
    expect(await verify(name, message, headers)).toEqual({ valid: false, reason });
  });
});

it('the time in the body of linear is checked', async () => {
  for (const [reason, ms] of Object.entries({ expired: -90_000, not_yet_valid: 90_000 })) {
    const message = { body: `{"webhookTimestamp":${Date.now() + ms}}` };
    const headers = senders.linear.headers(message, secretOf('linear'), { id: '', timestamp: '' });
    expect(await verify('linear', message, headers)).toEqual({ valid: false, reason });
  }
});

describe.each(names.filter((name) => 'url' in sent(name).message))('the URL of %s', (name) => {
  it('is signed', async () => {
    const { message, headers } = sent(name);
    expect(await verify(name, { ...message, url: withBitFlipped(url) }, headers)).toEqual(mismatch);
  });
});

/** A message that the signer signs. Twitch has no ids of a form of its own, so the id of the request is taken. */
async function signedFor(name: ProviderName) {
  const { message } = sent(name);
  const request = name === 'twitch' ? { ...message, id: messageId } : message;
  const { headers, keyId } = await call(running, `${name}/sign`, request);
  expect(keyId).toMatch(/^[0-9a-f]{16}$/);
  return { message, headers: headers as Headers };
}

it.each(names)('what we sign for %s is what the provider would have sent', async (name) => {
  const { message, headers } = await signedFor(name);
  const moment = { id: '', timestamp: '', ...senders[name].moment?.(headers) };
  expect(headers).toEqual(senders[name].headers(message, secretOf(name), moment));
});

it.each(names)('what we sign for %s as a stream is what the provider would have sent', async (name) => {
  const { message } = sent(name);
  const headers = (await stream(`${name}/sign`, message, {}))['headers'] as Headers;
  const moment = { id: '', timestamp: '', ...senders[name].moment?.(headers) };
  expect(headers).toEqual(senders[name].headers(message, secretOf(name), moment));
});

it.each(officialClients)('what we sign for %s is accepted by the library of the provider', async (name) => {
  await loadClient(name);
  const { message, headers } = await signedFor(name);
  expect(await isAccepted(name, message, headers, secretOf(name))).toBe(true);
  const flipped = { ...message, body: message.body.replace('snow', 'snov') };
  expect(await isAccepted(name, flipped, headers, secretOf(name))).toBe(false);
});

describe.each(published)('the vectors of %s', (name) => {
  const vectors = readVectors<Vector>(name);
  const files = new Map(
    [...new Set(vectors.map(({ secret }) => secret))].map((text, at) => [text, `k${at}`]),
  );
  let signer: ConfiguredSigner;
  beforeAll(async () => {
    // The vectors are old, and their secrets are short.
    const time = senders[name].time === undefined ? {} : { [name]: { toleranceSeconds: 'none' } };
    const each = { format: name, encoding: 'text', allow: ['verify'], allowWeakKey: true, ...time };
    signer = await startConfigured(
      Object.fromEntries([...files].map(([secret, file]) => [file, secret])),
      Object.fromEntries([...files.values()].map((file) => [file, each])),
    );
  });
  afterAll(() => signer?.[Symbol.asyncDispose]());

  it.each(vectors)('$name', async ({ secret, body, url: address, headers }) => {
    const request = { body, headers, ...(address === undefined ? {} : { url: address }) };
    const path = `${files.get(secret)}/verify`;
    expect(await call(signer, path, request)).toMatchObject({ valid: true });
    expect(await call(signer, path, { ...request, body: `${body} ` })).toEqual(mismatch);
  });
});

describe('twilio', () => {
  const moment = { id: '', timestamp: '' };

  it('covers a body that is no form by its digest in the URL', async () => {
    const message = { body: json, url: withDigest(url, json) };
    const headers = senders.twilio.headers(message, secretOf('twilio'), moment);
    expect(await verify('twilio', message, headers)).toMatchObject({ valid: true });
    expect(await verify('twilio', { ...message, body: `${json} ` }, headers)).toMatchObject({ valid: false });
    const signed = await call(running, 'twilio/sign', message);
    expect(signed['headers']).toEqual(headers);
  });

  it('is verified whether or not the URL has its port', async () => {
    const { message } = sent('twilio');
    const withPort = url.replace('.example/', '.example:443/');
    for (const [signed, received] of [
      [url, withPort],
      [withPort, url],
    ] as const) {
      const headers = senders.twilio.headers({ ...message, url: signed }, secretOf('twilio'), moment);
      expect(await isAccepted('twilio', { ...message, url: received }, headers, secretOf('twilio'))).toBe(
        true,
      );
      expect(await verify('twilio', { ...message, url: received }, headers)).toMatchObject({ valid: true });
    }
  });
});

describe('hubspot', () => {
  it('signs some escapes of the URL as the characters that they stand for', async () => {
    const { message, moment } = sent('hubspot');
    const signed = 'https://hooks.shop.example/in?at=a:b/c@d&to=e%20f%26';
    const received = 'https://hooks.shop.example/in?at=a%3Ab%2Fc%40d&to=e%20f%26';
    const headers = senders.hubspot.headers({ ...message, url: signed }, secretOf('hubspot'), moment);
    expect(await verify('hubspot', { ...message, url: received }, headers)).toMatchObject({ valid: true });
    expect(await verify('hubspot', { ...message, url: signed }, headers)).toMatchObject({ valid: true });
  });
});

describe('a challenge', () => {
  it('of zoom is answered as its library does', async () => {
    const plainToken = 'qgg8vlvZRS6UYooatFL8Aw';
    const body = JSON.stringify({ event: 'endpoint.url_validation', payload: { plainToken } });
    const timestamp = `${Math.floor(Date.now() / 1000)}`;
    const headers = senders.zoom.headers({ body }, secretOf('zoom'), { id: '', timestamp });
    const expected = JSON.parse((await callRivet(body, headers, secretOf('zoom'))) ?? '{}');
    expect(await call(running, 'zoom/challenge', { token: plainToken })).toEqual({
      response: expected.encryptedToken,
    });
  });

  it('of x is answered with the signature of the token', async () => {
    const token = '9b4507b3-9040-4669-9ca3-6b94edb50553';
    const { headers } = {
      headers: senders.x.headers({ body: token }, secretOf('x'), { id: '', timestamp: '' }),
    };
    expect(await call(running, 'x/challenge', { token })).toEqual({
      response: headers['x-twitter-webhooks-signature'],
    });
  });

  it('that is a message is not answered', async () => {
    const token = `v0:${Math.floor(Date.now() / 1000)}:{}`;
    expect(await call(running, 'zoom/challenge', { token })).not.toHaveProperty('response');
  });
});

describe('with two keys', () => {
  const pair = (name: ProviderName) => [newSecret(name), newSecret(name)] as const;
  const start = (name: ProviderName, [first, second]: readonly [string, string]) => {
    const jwk = (kid: string, text: string) => {
      const bytes = entry(name).secretEncoding === 'whsec' ? Buffer.from(text.slice(6), 'base64') : text;
      return { kty: 'oct', kid, k: Buffer.from(bytes).toString('base64url') };
    };
    const jwks = { primary: 'first', keys: [jwk('second', second), jwk('first', first)] };
    return startConfigured(
      { 'both.jwks.json': JSON.stringify(jwks) },
      { both: { file: 'both.jwks.json', format: name, [name]: { signWith: 'all' } } },
    );
  };
  const signed = async (signer: ConfiguredSigner, message: Message) =>
    (await call(signer, 'both/sign', message))['headers'] as Headers;

  it.each(['svix', 'mux', 'pagerduty', 'circleci'] as const)(
    '%s has both signatures in its list',
    async (name) => {
      const both = pair(name);
      await using signer = await start(name, both);
      const { message } = sent(name);
      const headers = await signed(signer, message);
      const moment = { id: '', timestamp: '', ...senders[name].moment?.(headers) };
      for (const secret of both) {
        const [alone = ''] = Object.values(senders[name].headers(message, secret, moment)).slice(-1);
        const signature = alone.split(/,(?=v1=)/).at(-1) ?? '';
        expect(Object.values(headers).join()).toContain(signature);
        if (officialClients.includes(name))
          expect(await isAccepted(name, message, headers, secret)).toBe(true);
        // A message with the one signature is verified too.
        const one = senders[name].headers(message, secret, moment);
        expect(await call(signer, 'both/verify', { ...message, headers: one })).toMatchObject({
          valid: true,
        });
      }
    },
  );

  it('docusign has a header for each key', async () => {
    const both = pair('docusign');
    await using signer = await start('docusign', both);
    const headers = await signed(signer, { body: json });
    const signatures = both.map((secret) =>
      senders.docusign.headers({ body: json }, secret, { id: '', timestamp: '' }),
    );
    expect(headers).toEqual({
      'X-DocuSign-Signature-1': signatures[0]?.['X-DocuSign-Signature-1'],
      'X-DocuSign-Signature-2': signatures[1]?.['X-DocuSign-Signature-1'],
    });
    // Headers of keys that the receiver does not know come first.
    const received = {
      'X-DocuSign-Signature-1': Buffer.alloc(32).toString('base64'),
      'X-DocuSign-Signature-2': headers['X-DocuSign-Signature-2'] ?? '',
    };
    expect(await call(signer, 'both/verify', { body: json, headers: received })).toMatchObject({
      valid: true,
    });
  });

  it('box has a primary and a secondary header', async () => {
    const both = pair('box');
    await using signer = await start('box', both);
    const headers = await signed(signer, { body: json });
    expect(Object.keys(headers)).toEqual(
      expect.arrayContaining(['box-signature-primary', 'box-signature-secondary']),
    );
    const [primary, secondary] = both;
    expect(await verifyBox(json, headers, primary)).toBe(true);
    expect(await verifyBox(json, headers, 'another key', secondary)).toBe(true);
    expect(await verifyBox(json, headers, secondary, primary)).toBe(false);
  });
});
