/** The providers' own libraries accept what `provider-messages.ts` sends, and the published vectors are what it sends. */

import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { readVectors } from '../support/vectors.ts';
import { isAccepted, loadClient, officialClients } from './official-clients.ts';
import {
  json,
  type ProviderName,
  published,
  senders,
  url,
  type Vector,
  withDigest,
} from './provider-messages.ts';

const id = 'msg_2KWPBgLlAfxdpx2AI54pPJ85f4W';

const newSecret = (name: ProviderName) => senders[name].secret?.() ?? randomBytes(32).toString('hex');

/** A message that the provider sends now. */
function sent(name: ProviderName, secret: string) {
  const nowMs = Date.now();
  const message = senders[name].message?.(nowMs) ?? { body: json };
  const moment = { id, timestamp: senders[name].time?.(nowMs) ?? '' };
  return { message, headers: senders[name].headers(message, secret, moment) };
}

describe.each(officialClients)('the library of %s', (name) => {
  const secret = newSecret(name);
  beforeAll(() => loadClient(name));

  it('accepts what the provider sends', async () => {
    const { message, headers } = sent(name, secret);
    expect(await isAccepted(name, message, headers, secret)).toBe(true);
  });

  it('refuses it with a bit flipped, and with another secret', async () => {
    const { message, headers } = sent(name, secret);
    const flipped = { ...message, body: message.body.replace('snow', 'snov') };
    expect(flipped.body).not.toBe(message.body);
    expect(await isAccepted(name, flipped, headers, secret)).toBe(false);
    expect(await isAccepted(name, message, headers, newSecret(name))).toBe(false);
  });
});

it('the library of twilio accepts a JSON body, which the URL covers', async () => {
  const secret = randomBytes(16).toString('hex');
  const message = { body: json, url: withDigest(url, json) };
  const headers = senders.twilio.headers(message, secret, { id: '', timestamp: '' });
  expect(await isAccepted('twilio', message, headers, secret)).toBe(true);
  expect(await isAccepted('twilio', { ...message, body: `${json} ` }, headers, secret)).toBe(false);
});

describe.each(published)('the vectors of %s', (provider) => {
  it.each(readVectors<Vector>(provider))('$name', ({ secret, body, url, headers }) => {
    const sender = senders[provider];
    const moment = { id: '', timestamp: '', ...sender.moment?.(headers) };
    const message = { body, ...(url === undefined ? {} : { url }) };
    const values = Object.values(headers);
    // A published list may go on with other signatures.
    for (const computed of Object.values(sender.headers(message, secret, moment))) {
      expect(values.some((value) => value.startsWith(computed))).toBe(true);
    }
  });
});
