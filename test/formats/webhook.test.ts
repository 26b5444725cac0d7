/** What holds for every webhook format, each described here from its provider's documentation and not from our code. */

import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { MessageHeaders, WebhookSignRequest } from '../../src/api/messages.ts';
import { at, inUse, refusalOf } from '../support/format.ts';

type Webhook = 'github' | 'shopify' | 'stripe' | 'slack' | 'standard-webhooks';

interface Provider {
  readonly name: Webhook;
  readonly prefix: string;
  readonly headers: (tag: string) => MessageHeaders;
  readonly output: 'hex' | 'base64';
  /** What a valid signature proves. */
  readonly proof: object;
  /** The headers that a receiver passes on, in lower case. */
  readonly reads: readonly string[];
}

const seconds = 1_800_000_000;
const now = at(seconds);
const id = 'msg_2KWPBgLlAfxdpx2AI54pPJ85f4W';
const providers: readonly Provider[] = [
  {
    name: 'github',
    prefix: '',
    headers: (tag) => ({ 'X-Hub-Signature-256': `sha256=${tag}` }),
    output: 'hex',
    proof: {},
    reads: ['x-hub-signature-256'],
  },
  {
    name: 'shopify',
    prefix: '',
    headers: (tag) => ({ 'X-Shopify-Hmac-Sha256': tag }),
    output: 'base64',
    proof: {},
    reads: ['x-shopify-hmac-sha256', 'shopify-hmac-sha256'],
  },
  {
    name: 'stripe',
    prefix: `${seconds}.`,
    headers: (tag) => ({ 'Stripe-Signature': `t=${seconds},v1=${tag}` }),
    output: 'hex',
    proof: { timestamp: `${seconds}` },
    reads: ['stripe-signature'],
  },
  {
    name: 'slack',
    prefix: `v0:${seconds}:`,
    headers: (tag) => ({ 'X-Slack-Request-Timestamp': `${seconds}`, 'X-Slack-Signature': `v0=${tag}` }),
    output: 'hex',
    proof: { timestamp: `${seconds}` },
    reads: ['x-slack-request-timestamp', 'x-slack-signature'],
  },
  {
    name: 'standard-webhooks',
    prefix: `${id}.${seconds}.`,
    headers: (tag) => ({
      'webhook-id': id,
      'webhook-timestamp': `${seconds}`,
      'webhook-signature': `v1,${tag}`,
    }),
    output: 'base64',
    proof: { id, timestamp: `${seconds}` },
    reads: [
      'webhook-id',
      'svix-id',
      'webhook-timestamp',
      'svix-timestamp',
      'webhook-signature',
      'svix-signature',
    ],
  },
];
const body = '{"event":"payment","note":"naïve ☃"}';

describe.each(providers)('$name', ({ name, prefix, headers, output, proof, reads }) => {
  const secret = randomBytes(32);
  const signer = inUse(name, {}, { secrets: [secret], now });
  const named = (request: WebhookSignRequest) =>
    signer.sign(name === 'standard-webhooks' ? { ...request, id } : request);
  const tagOf = (message: string | Uint8Array, key = secret) =>
    createHmac('sha256', key).update(prefix).update(message).digest();
  const headersOf = (message: string | Uint8Array, key = secret) =>
    headers(tagOf(message, key).toString(output));
  const keyId = signer.use.keys[0].id;
  const valid = { valid: true, keyId, primary: true, ...proof };

  it('signs the body as the provider does, and accepts what the provider signs', () => {
    expect(named({ body })).toEqual({ headers: headersOf(body), keyId });
    expect(signer.verify({ body, headers: headersOf(body) })).toEqual(valid);
  });

  it('takes the body as the bytes it stands for, in any encoding', () => {
    const bytes = Buffer.concat([Buffer.from([0, 0xff, 0xfe, 0x80]), randomBytes(100)]);
    for (const encoding of ['base64', 'hex'] as const) {
      const request = { body: bytes.toString(encoding), encoding };
      expect(named(request).headers).toEqual(headersOf(bytes));
      expect(signer.verify({ ...request, headers: headersOf(bytes) })).toEqual(valid);
    }
  });

  it('signs and verifies an empty body', () => {
    expect(named({ body: '' }).headers).toEqual(headersOf(''));
    expect(signer.verify({ body: '', headers: headersOf('') })).toEqual(valid);
  });

  it('finds its headers in any case, among others', () => {
    const shouted = Object.entries(headersOf(body)).map(([header, value]) => [header.toUpperCase(), value]);
    const received = {
      host: 'example.com',
      'Content-Type': 'application/json',
      ...Object.fromEntries(shouted),
    };
    expect(signer.verify({ body, headers: received })).toEqual(valid);
  });

  it('takes headers as a server gives them: lists, and some that are not there', () => {
    const received = Object.fromEntries(
      Object.entries(headersOf(body)).map(([name, value]) => [name, [value]]),
    );
    const headers = { ...received, 'Set-Cookie': ['a', 'b'], 'X-Absent': undefined };
    expect(signer.verify(JSON.parse(JSON.stringify({ body, headers })))).toEqual(valid);
    expect(refusalOf(() => signer.verify({ body, headers: { a: [1] } }))).toBe(
      'malformed_request: field "headers": must be an object whose values are strings or lists of strings',
    );
  });

  it('repeats no name of a header in a refusal', () => {
    const refusal = refusalOf(() => signer.verify({ body, headers: { 'marker-of-the-caller': 1 } }));
    expect(refusal).toMatch(/^malformed_request: field "headers": /);
    expect(refusal).not.toContain('marker');
  });

  it('refuses headers over their bound', () => {
    const headers = { ...headersOf(body), 'X-Long': 'a'.repeat(32 * 1024) };
    expect(refusalOf(() => signer.verify({ body, headers }))).toMatch(/^message_too_large: field "headers"/);
  });

  it('refuses a header that is given twice, whatever it says', () => {
    for (const [header, value] of Object.entries(headersOf(body))) {
      const twice = { ...headersOf(body), [header.toLowerCase()]: value, [header.toUpperCase()]: value };
      expect(refusalOf(() => signer.verify({ body, headers: twice }))).toBe(
        'malformed_request: field "headers": must have each name once; give the values of a repeated header as a list',
      );
    }
  });

  it('says that a signature is missing when any of its headers is', () => {
    for (const header of Object.keys(headersOf(body))) {
      const { [header]: _, ...rest } = headersOf(body);
      expect(signer.verify({ body, headers: rest })).toEqual({ valid: false, reason: 'missing' });
    }
  });

  it('refuses the tag with any of its bits flipped', () => {
    const reasons = new Set<unknown>();
    for (let bit = 0; bit < 256; bit++) {
      const tag = tagOf(body);
      tag.writeUInt8(tag.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      reasons.add(JSON.stringify(signer.verify({ body, headers: headers(tag.toString(output)) })));
    }
    expect([...reasons]).toEqual(['{"valid":false,"reason":"mismatch"}']);
  });

  it.each([
    ['nothing', () => ''],
    ['one byte', () => tagOf(body).subarray(0, 1).toString(output)],
    ['31 bytes', () => tagOf(body).subarray(0, 31).toString(output)],
    ['33 bytes', () => Buffer.concat([tagOf(body), Buffer.alloc(1)]).toString(output)],
    ['another encoding', () => tagOf(body).toString(output === 'hex' ? 'base64' : 'hex')],
    ['other digits', () => tagOf(body).toString(output).replace(/^./, '*')],
    ['a space inside', () => tagOf(body).toString(output).replace(/^..../, '$& ')],
    ['a newline behind', () => `${tagOf(body).toString(output)}\n`],
    [
      'upper case, or no padding',
      () => tagOf(body).toString(output)[output === 'hex' ? 'toUpperCase' : 'slice'](0, -1),
    ],
  ])('calls %s in place of the tag malformed', (_, text) => {
    expect(signer.verify({ body, headers: headers(text()) })).toEqual({ valid: false, reason: 'malformed' });
  });

  it('refuses the signature of another body or by another key', () => {
    const mismatch = { valid: false, reason: 'mismatch' };
    expect(signer.verify({ body: `${body} `, headers: headersOf(body) })).toEqual(mismatch);
    expect(signer.verify({ body, headers: headersOf(body, randomBytes(32)) })).toEqual(mismatch);
  });

  it('verifies by every key, says which, and whether it is the primary', () => {
    const secrets = [randomBytes(32), randomBytes(32), secret] as const;
    const rotated = inUse(name, {}, { secrets, now });
    expect(rotated.verify({ body, headers: headersOf(body) })).toEqual({
      ...valid,
      primary: false,
    });
    expect(rotated.verify({ body, headers: headersOf(body, secrets[1]) })).toMatchObject({
      keyId: rotated.use.keys[1]?.id,
      primary: false,
    });
    expect(rotated.verify({ body, headers: headersOf(body, secrets[0]) })).toMatchObject({ primary: true });
    expect(rotated.sign({ body }).keyId).toBe(rotated.use.keys[0].id);
  });

  it('signs a body that comes in parts like one that is there at once', () => {
    const bytes = randomBytes(1000);
    const streamed = signer.signParts(bytes.subarray(0, 1), bytes.subarray(1, 300), bytes.subarray(300));
    const request = { body: bytes.toString('base64'), encoding: 'base64' } as const;
    const made = streamed.headers['webhook-id'];
    const { headers: expected } =
      made === undefined ? signer.sign(request) : signer.sign({ ...request, id: made });
    expect(streamed).toEqual({ headers: expected, keyId });
  });

  it('verifies a body that comes in parts like one that is there at once', () => {
    const bytes = randomBytes(1000);
    const parts = [bytes.subarray(0, 1), bytes.subarray(1, 300), bytes.subarray(300)];
    expect(signer.verifyParts(headersOf(bytes), ...parts)).toEqual(valid);
    expect(signer.verifyParts(headersOf(bytes), ...parts, Buffer.from('x'))).toEqual({
      valid: false,
      reason: 'mismatch',
    });
    expect(signer.verifyParts({}, ...parts)).toEqual({ valid: false, reason: 'missing' });
  });

  it('names the headers that it reads, and reads no other', () => {
    expect(signer.format.verificationHeaders).toEqual(reads);
    const looked = new Set<string>();
    for (const only of [undefined, ...reads]) {
      signer.format.startVerification?.(signer.use, (header) => {
        looked.add(header);
        return header === only ? 'v1,x' : undefined;
      });
    }
    expect([...looked].sort()).toEqual([...reads].sort());
  });

  it('accepts any signature of a header that is received several times', () => {
    const received = headersOf(body);
    const wrong = headersOf('another');
    const [signature = ''] = Object.keys(received).filter((header) => /signature|hmac/i.test(header));
    const values = [wrong[signature], received[signature], 'junk'];
    const expected = name === 'stripe' ? { valid: false, reason: 'malformed' } : valid;
    expect(signer.verify({ body, headers: { ...received, [signature]: values } })).toEqual(expected);
    const joined = values.join(', ');
    expect(signer.verifyParts({ ...received, [signature]: joined }, Buffer.from(body))).toEqual(expected);
  });

  it('calls two values of a time or an id malformed, even equal ones', () => {
    const received = headersOf(body);
    const answers = Object.keys(received)
      .filter((header) => /timestamp|-id/i.test(header))
      .map((header) => ({ ...received, [header]: [received[header], received[header]] }))
      .map((twice) => signer.verify({ body, headers: twice }));
    expect(answers).toEqual(answers.map(() => ({ valid: false, reason: 'malformed' })));
  });

  it('refuses a body over the limit before signing or verifying it', () => {
    const limited = inUse(name, {}, { secrets: [secret], now, maxMessageBytes: 10 });
    expect(refusalOf(() => limited.sign({ body: 'x'.repeat(11) }))).toContain('message_too_large');
    expect(refusalOf(() => limited.verify({ body: 'x'.repeat(11), headers: {} }))).toContain(
      'message_too_large',
    );
    expect(limited.sign({ body: 'x'.repeat(10) }).headers).toBeTypeOf('object');
  });

  it.each<[string, unknown]>([
    ['a lone surrogate', { body: '\ud800' }],
    ['NUL in text', { body: 'a\0b' }],
    ['base64 with junk', { body: 'YQ=', encoding: 'base64' }],
    ['base64 with unused bits', { body: 'YR==', encoding: 'base64' }],
    ['odd hex', { body: 'abc', encoding: 'hex' }],
    ['an unknown encoding', { body: 'a', encoding: 'latin1' }],
    ['no body', {}],
    ['a body that is an object', { body: { a: 1 } }],
    ['an unknown field', { body: 'a', timestamp: '1' }],
    ['an own member __proto__', JSON.parse('{"body":"a","__proto__":{}}')],
    ['a list', []],
    ['null', null],
    ...(name === 'standard-webhooks' ? [] : [['an id', { body: 'a', id: 'msg_1' }] as [string, unknown]]),
  ])('refuses %s', (_, request) => {
    expect(refusalOf(() => signer.sign(request as WebhookSignRequest))).toMatch(/^malformed_request: /);
    const verify = typeof request === 'object' && request !== null && !Array.isArray(request);
    const withHeaders = verify ? { ...request, headers: {} } : request;
    expect(refusalOf(() => signer.verify(withHeaders as never))).toMatch(/^malformed_request: /);
  });

  it.each<[string, unknown]>([
    ['a number', { 'x-a': 1 }],
    ['a list of headers', [['x-a', '1']]],
    ['nothing', undefined],
  ])('refuses headers with %s', (_, wrong) => {
    expect(refusalOf(() => signer.verify({ body, headers: wrong } as never))).toMatch(/^malformed_request: /);
  });

  it('keeps the expected signature to itself', () => {
    const tag = tagOf(body);
    const wrong = headersOf('another');
    for (const answer of [signer.verify({ body, headers: wrong }), signer.verify({ body, headers: {} })]) {
      expect(answer).toMatchObject({ valid: false });
      expect(JSON.stringify(answer)).not.toMatch(new RegExp(tag.toString('hex').slice(0, 8)));
      expect(JSON.stringify(answer)).not.toContain(tag.toString('base64').slice(0, 8));
    }
  });

  it('has HS256 alone, and shows its options', () => {
    expect(signer.format.algorithms).toEqual(['HS256']);
    const timestamped = { toleranceSeconds: 300, futureToleranceSeconds: 300 };
    expect(signer.format.options).toEqual(
      {
        github: {},
        shopify: {},
        slack: timestamped,
        stripe: { ...timestamped, signWith: 'primary' },
        'standard-webhooks': { ...timestamped, signWith: 'primary' },
      }[name],
    );
    expect(signer.format.minKeyBytes?.('HS256')).toBe(name === 'standard-webhooks' ? 24 : 0);
  });
});

describe('the header of Shopify without "X-"', () => {
  const shopify = inUse('shopify', {}, { secrets: ['shpss_0123456789abcdef'] });
  const { 'X-Shopify-Hmac-Sha256': signature = '' } = shopify.sign({ body }).headers;

  it('is read', () => {
    expect(shopify.verify({ body, headers: { 'Shopify-Hmac-Sha256': signature } })).toMatchObject({
      valid: true,
    });
  });

  it('is ignored beside the other one', () => {
    const headers = { 'Shopify-Hmac-Sha256': signature, 'X-Shopify-Hmac-Sha256': signature.toLowerCase() };
    expect(shopify.verify({ body, headers })).toMatchObject({ valid: false });
  });
});
