/** The clock, and several signatures in one message, for the formats that have them. */

import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { MessageHeaders } from '../../src/api/messages.ts';
import { at, inUse } from '../support/format.ts';

const body = '{}';
const formats = [
  {
    name: 'stripe',
    headers: (timestamp: string, tagOf: (prefix: string) => Buffer): MessageHeaders => ({
      'Stripe-Signature': `t=${timestamp},v1=${tagOf(`${timestamp}.`).toString('hex')}`,
    }),
  },
  {
    name: 'slack',
    headers: (timestamp: string, tagOf: (prefix: string) => Buffer): MessageHeaders => ({
      'X-Slack-Request-Timestamp': timestamp,
      'X-Slack-Signature': `v0=${tagOf(`v0:${timestamp}:`).toString('hex')}`,
    }),
  },
  {
    name: 'standard-webhooks',
    headers: (timestamp: string, tagOf: (prefix: string) => Buffer): MessageHeaders => ({
      'webhook-id': 'msg_1',
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${tagOf(`msg_1.${timestamp}.`).toString('base64')}`,
    }),
  },
] as const;
const seconds = 1_800_000_000;
const day = 86_400;

describe.each(formats)('$name', ({ name, headers }) => {
  const secret = randomBytes(32);
  const tagOf = (prefix: string) => createHmac('sha256', secret).update(prefix).update(body).digest();
  const verifyAt = (timestamp: string, options: object = {}, now = at(seconds)) =>
    inUse(name, options, { secrets: [secret], now }).verify({ body, headers: headers(timestamp, tagOf) });
  const reasonAt = (age: number, options: object = {}) => {
    const answer = verifyAt(`${seconds - age}`, options);
    return answer.valid ? 'valid' : answer.reason;
  };

  it.each([
    [0, 'valid'],
    [300, 'valid'],
    [301, 'expired'],
    [day, 'expired'],
    [-300, 'valid'],
    [-301, 'not_yet_valid'],
    [-day, 'not_yet_valid'],
  ])('by default, calls a signature that is %i seconds old %s', (age, expected) => {
    expect(reasonAt(age)).toBe(expected);
  });

  it.each([
    [{ toleranceSeconds: 60 }, 60, -60],
    [{ toleranceSeconds: 0 }, 0, 0],
    [{ toleranceSeconds: 60, futureToleranceSeconds: 5 }, 60, -5],
    [{ futureToleranceSeconds: 0 }, 300, 0],
  ])('with %j, accepts ages from %i down to %i alone', (options, oldest, newest) => {
    expect([oldest + 1, oldest, newest, newest - 1].map((age) => reasonAt(age, options))).toEqual([
      'expired',
      'valid',
      'valid',
      'not_yet_valid',
    ]);
  });

  it('signs the second in which it is asked', () => {
    const now = '2027-01-15T08:00:00.999Z';
    const { headers: signed } = inUse(name, {}, { secrets: [secret], now }).sign({ body });
    expect(JSON.stringify(signed)).toContain(`${Math.floor(Date.parse(now) / 1000)}`);
    expect(inUse(name, {}, { secrets: [secret], now }).verify({ body, headers: signed })).toMatchObject({
      valid: true,
    });
  });

  it.each([
    '',
    '0',
    '01800000000',
    '+1800000000',
    '-1800000000',
    ' 1800000000',
    '1800000000\n',
    '1800000000abc',
    '1800000000.0',
    '1.8e9',
    '0x6b49d200',
    '１８００００００００',
    '1234567890123',
    'eyJhbGciOiJIUzI1NiJ9',
  ])('refuses the timestamp %j, however well signed', (timestamp) => {
    expect(verifyAt(timestamp)).toEqual({ valid: false, reason: 'malformed' });
  });

  it('says nothing of the time of a message that is not authentic', () => {
    const foreign = inUse(name, {}, { now: at(seconds) });
    for (const age of [day, -day]) {
      expect(foreign.verify({ body, headers: headers(`${seconds - age}`, tagOf) })).toEqual({
        valid: false,
        reason: 'mismatch',
      });
    }
  });
});

const several = [
  {
    name: 'stripe',
    list: (tags: readonly Buffer[], now = seconds): MessageHeaders => ({
      'Stripe-Signature': [`t=${now}`, ...tags.map((tag) => `v1=${tag.toString('hex')}`)].join(','),
    }),
    prefix: `${seconds}.`,
  },
  {
    name: 'standard-webhooks',
    list: (tags: readonly Buffer[], now = seconds): MessageHeaders => ({
      'webhook-id': 'msg_1',
      'webhook-timestamp': `${now}`,
      'webhook-signature': tags.map((tag) => `v1,${tag.toString('base64')}`).join(' '),
    }),
    prefix: `msg_1.${seconds}.`,
  },
] as const;

describe.each(several)('$name with several signatures', ({ name, list, prefix }) => {
  const secrets = [randomBytes(32), randomBytes(32), randomBytes(32)] as const;
  const tagBy = (key: Uint8Array) => createHmac('sha256', key).update(prefix).update(body).digest();
  const signer = (options: object = {}, keys: readonly Uint8Array[] = secrets) =>
    inUse(name, options, { secrets: keys as [Uint8Array], now: at(seconds) });
  const request = name === 'stripe' ? { body } : { body, id: 'msg_1' };

  it('signs with the primary alone unless told otherwise', () => {
    expect(signer().sign(request).headers).toEqual(list([tagBy(secrets[0])]));
    expect(signer({ signWith: 'primary' }).sign(request).headers).toEqual(list([tagBy(secrets[0])]));
  });

  it('signs with every key that verifies, the primary first, when told to', () => {
    const { headers, keyId } = signer({ signWith: 'all' }).sign(request);
    expect(headers).toEqual(list(secrets.map(tagBy)));
    expect(keyId).toBe(signer().use.keys[0].id);
    for (const secret of secrets) {
      expect(signer({}, [secret]).verify({ body, headers })).toMatchObject({ valid: true, primary: true });
    }
  });

  it('does so for a body that comes in parts', () => {
    const { headers } = signer({ signWith: 'all' }).signParts(Buffer.from('{'), Buffer.from('}'));
    expect(signer({}, [secrets[2]]).verify({ body, headers })).toMatchObject({ valid: true });
  });

  it('accepts any match, and names the primary when several match', () => {
    const foreign = tagBy(randomBytes(32));
    expect(signer().verify({ body, headers: list([foreign, tagBy(secrets[1])]) })).toMatchObject({
      valid: true,
      keyId: signer().use.keys[1]?.id,
      primary: false,
    });
    expect(signer().verify({ body, headers: list([tagBy(secrets[2]), tagBy(secrets[0])]) })).toMatchObject({
      primary: true,
    });
    expect(signer().verify({ body, headers: list([foreign, foreign]) })).toEqual({
      valid: false,
      reason: 'mismatch',
    });
  });

  it('looks at 16 signatures and no more, and writes no more', () => {
    const foreign = Array.from({ length: 16 }, () => tagBy(randomBytes(32)));
    const last = tagBy(secrets[0]);
    expect(signer().verify({ body, headers: list([...foreign.slice(1), last]) })).toMatchObject({
      valid: true,
    });
    expect(signer().verify({ body, headers: list([...foreign, last]) })).toMatchObject({ valid: false });
    const many = Array.from({ length: 20 }, () => randomBytes(32));
    expect(signer({ signWith: 'all' }, many).sign(request).headers).toEqual(
      list(many.slice(0, 16).map(tagBy)),
    );
  });

  it('skips an entry that is no signature', () => {
    const short = tagBy(secrets[0]).subarray(0, 16);
    expect(signer().verify({ body, headers: list([short, tagBy(secrets[0])]) })).toMatchObject({
      valid: true,
    });
    expect(signer().verify({ body, headers: list([short]) })).toEqual({ valid: false, reason: 'malformed' });
  });
});
