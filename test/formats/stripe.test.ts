/** The format `stripe` by the published vector, and the grammar of its header. */

import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { at, inUse } from '../support/format.ts';
import { readVectors } from '../support/vectors.ts';

interface Vector {
  readonly name: string;
  readonly secret: string;
  readonly timestamp: number;
  readonly body: string;
  readonly signature: string;
}

describe.each(readVectors<Vector>('stripe'))('$name', ({ secret, timestamp, body, signature }) => {
  const stripe = inUse('stripe', {}, { secrets: [secret], now: at(timestamp) });
  const headers = { 'Stripe-Signature': `t=${timestamp},v1=${signature}` };

  it('signs as published', () => {
    expect(stripe.sign({ body }).headers).toEqual(headers);
  });

  it('verifies what is published', () => {
    expect(stripe.verify({ body, headers })).toMatchObject({ valid: true });
  });

  it('refuses the body once it has been parsed and written again', () => {
    const rewritten = JSON.stringify(JSON.parse(body));
    expect(stripe.verify({ body: rewritten, headers })).toEqual({ valid: false, reason: 'mismatch' });
  });
});

describe('the header Stripe-Signature', () => {
  const secret = `whsec_${randomBytes(24).toString('base64')}`;
  const time = 1_800_000_000;
  const stripe = inUse('stripe', {}, { secrets: [secret], now: at(time) });
  const sign = (timestamp: string) => createHmac('sha256', secret).update(`${timestamp}.{}`).digest('hex');
  const reason = (value: string | readonly string[]) => {
    const answer = stripe.verify({ body: '{}', headers: { 'Stripe-Signature': value } });
    return answer.valid ? 'valid' : answer.reason;
  };
  const v1 = sign(`${time}`);

  it.each([
    ['in any order', `v1=${v1},t=${time}`, 'valid'],
    ['with other schemes, which are skipped', `t=${time},v0=${v1},v1=${v1},v2=x,`, 'valid'],
    ['with other schemes alone', `t=${time},v0=${v1}`, 'missing'],
    ['without a signature', `t=${time}`, 'missing'],
    ['without a time', `v1=${v1}`, 'malformed'],
    ['with two times, of which a lenient reader takes the last', `t=1,t=${time},v1=${v1}`, 'malformed'],
    ['with the same time twice', `t=${time},t=${time},v1=${v1}`, 'malformed'],
    ['with spaces', `t=${time}, v1=${v1}`, 'valid'],
    ['with spaces and tabs around each item', `  t=${time}\t ,  v1=${v1} `, 'valid'],
    ['with spaces inside an item', `t= ${time},v1=${v1}`, 'malformed'],
    ['as the list of its items', [`t=${time}`, `v1=${v1}`], 'valid'],
    ['that was repeated, with two times', [`t=${time},v1=${v1}`, `t=${time},v1=${v1}`], 'malformed'],
    ['with a line break', `t=${time},\nv1=${v1}`, 'missing'],
    ['with semicolons', `t=${time};v1=${v1}`, 'malformed'],
    ['in other letters', `T=${time},V1=${v1}`, 'malformed'],
    ['empty', '', 'malformed'],
    ['that is a member of every object', 'constructor=1,__proto__=1', 'malformed'],
  ])('%s is %s', (_, value, expected) => {
    expect(reason(value)).toBe(expected);
  });

  it('takes the whole secret as the key, prefix included', () => {
    const decoded = Buffer.from(secret.slice('whsec_'.length), 'base64');
    const by = (key: Uint8Array | string) => createHmac('sha256', key).update(`${time}.{}`).digest('hex');
    expect(reason(`t=${time},v1=${by(secret)}`)).toBe('valid');
    expect(reason(`t=${time},v1=${by(decoded)}`)).toBe('mismatch');
  });
});
