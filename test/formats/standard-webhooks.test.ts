/** The format `standard-webhooks` by the published vector, its ids, and the grammar of its headers. */

import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { HttpHeaders, WebhookSignRequest } from '../../src/api/messages.ts';
import { decodeKey } from '../../src/key-sets/key-encoding.ts';
import { at, inUse, refusalOf } from '../support/format.ts';
import { readVectors } from '../support/vectors.ts';

interface Vector {
  readonly name: string;
  readonly secret: string;
  readonly id: string;
  readonly timestamp: number;
  readonly body: string;
  readonly signature: string;
}

describe.each(readVectors<Vector>('standard-webhooks'))('$name', (vector) => {
  const { id, timestamp, body, signature } = vector;
  const decoded = decodeKey(Buffer.from(vector.secret), 'whsec');
  const secrets = [decoded.ok ? decoded.value.bytes : 'not decoded'] as const;
  const webhooks = inUse('standard-webhooks', {}, { secrets, now: at(timestamp) });
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': `${timestamp}`,
    'webhook-signature': signature,
  };

  it('signs as published', () => {
    expect(webhooks.sign({ body, id }).headers).toEqual(headers);
  });

  it('verifies what is published', () => {
    expect(webhooks.verify({ body, headers })).toMatchObject({ valid: true });
  });
});

const time = 1_800_000_000;
const secret = randomBytes(32);
const webhooks = inUse('standard-webhooks', {}, { secrets: [secret], now: at(time) });
const sign = (signed: string) => `v1,${createHmac('sha256', secret).update(signed).digest('base64')}`;
const reason = (headers: HttpHeaders, body = '{}') => {
  const answer = webhooks.verify({ body, headers });
  return answer.valid ? 'valid' : answer.reason;
};
const named = (id: string, signature: string | readonly string[] = sign(`${id}.${time}.{}`)) => ({
  'webhook-id': id,
  'webhook-timestamp': `${time}`,
  'webhook-signature': signature,
});

describe('the id of a message', () => {
  it('is made by the signer when it is not given, and never twice', () => {
    const ids = Array.from({ length: 100 }, () => webhooks.sign({ body: '{}' }).headers['webhook-id']);
    expect(new Set(ids).size).toBe(100);
    for (const id of ids) expect(id).toMatch(/^msg_[A-Za-z0-9_-]{24}$/);
  });

  it.each(['msg_1', 'a', '_', '-', 'A'.repeat(256), 'eyJhbGciOiJIUzI1NiJ9', '1e3', '12-3'])(
    'may be %s',
    (id) => {
      const { headers } = webhooks.sign({ body: '{}', id });
      expect(headers).toEqual(named(id));
      expect(reason(headers)).toBe('valid');
    },
  );

  it.each(['', 'a.b', '.', 'a b', 'a:b', 'a\n', 'é', 'a/b', 'A'.repeat(257), '\0', '1800000000', '0', '١'])(
    'is refused in a request when it is %j',
    (id) => {
      expect(refusalOf(() => webhooks.sign({ body: '{}', id }))).toBe(
        'malformed_request: field "id": must be 1 to 256 of A-Z a-z 0-9 _ - without a dot, and not a number alone',
      );
    },
  );

  it.each([[7], [null], [{}]])('is refused in a request when it is %j', (id) => {
    const request = { body: '{}', id } as unknown as WebhookSignRequest;
    expect(refusalOf(() => webhooks.sign(request))).toContain('field "id": must be a string');
  });

  it.each(['4711', 'evt:123', 'a b', 'a/b', 'urn:uuid:{1}', '"quoted"', '=;~', 'A'.repeat(1000)])(
    'may be %j when another signer has given it',
    (id) => {
      expect(reason(named(id))).toBe('valid');
    },
  );

  it.each(['', 'a.b', '.', 'a,b', ' a', 'a ', 'a\tb', 'a\n', 'é', '\x7f', '\u200b'])(
    'is malformed in a message when it is %j, however well signed',
    (id) => {
      expect(reason(named(id))).toBe('malformed');
    },
  );

  it('cannot run into the time and the body', () => {
    const { headers } = webhooks.sign({ body: `${time}.{}`, id: 'a' });
    const shifted = { ...headers, 'webhook-id': `a.${headers['webhook-timestamp']}` };
    expect(reason(shifted, '{}')).toBe('malformed');
  });
});

describe('the headers', () => {
  const signature = sign(`msg_1.${time}.{}`);

  it('may have the older names', () => {
    const entries = Object.entries(named('msg_1'));
    const older = entries.map(([name, value]) => [name.replace('webhook', 'Svix'), value]);
    expect(reason(Object.fromEntries(older))).toBe('valid');
  });

  it('are not mixed from both', () => {
    const { 'webhook-id': id, ...others } = named('msg_1');
    expect(reason({ 'svix-id': id, ...others })).toBe('missing');
    const svix = { 'svix-id': id, 'svix-timestamp': `${time}`, 'svix-signature': signature };
    expect(reason({ ...svix, ...named('msg_1', sign('other')) })).toBe('mismatch');
    expect(reason({ ...svix, 'webhook-id': id })).toBe('missing');
  });

  it.each([
    ['other versions, which are skipped', `v1a,AAAA ${signature} v2,AAAA`, 'valid'],
    ['other versions alone', 'v1a,AAAA v2,BBBB', 'missing'],
    ['nothing', '', 'missing'],
    ['a bare signature', signature.slice(3), 'missing'],
    ['a version in another case', signature.replace('v1', 'V1'), 'missing'],
    ['another separator', signature.replace(',', '='), 'missing'],
    ['spaces around', `  ${signature}  `, 'valid'],
    ['the header repeated', ['v1,AAAA', signature], 'valid'],
    ['a header that was split at its comma', signature.split(','), 'valid'],
    ['a version without a signature', 'v1', 'missing'],
    ['a version behind its signature', signature.split(',').reverse().join(), 'missing'],
    ['base64url', signature.replaceAll('+', '-').replaceAll('/', '_').replace('=', ''), 'malformed'],
  ])('webhook-signature with %s is judged %s', (_, value, expected) => {
    expect(reason(named('msg_1', value))).toBe(expected);
  });
});
