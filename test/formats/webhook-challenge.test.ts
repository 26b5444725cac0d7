/** Challenges: which tokens are signed, and that no signature of a token is one of a message. */

import { createHmac, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChallengeScheme, TimeUnit, WebhookScheme } from '../../src/api/webhook-scheme.ts';
import { compileScheme } from '../../src/formats/webhook/compile.ts';
import { webhook } from '../../src/formats/webhook/custom.ts';
import type { Format, SigningContext } from '../../src/signing/format.ts';
import { at, inUse, keyOf, refusalOf, useOf } from '../support/format.ts';
import { countReadings, partsOf } from '../support/readings.ts';

const secret = randomBytes(32);
const previous = randomBytes(32);
const seconds = 1_800_000_000;
const tag = (text: string, output: 'hex' | 'base64', key = secret) =>
  createHmac('sha256', key).update(text).digest(output);
const noToken = expect.stringMatching(
  /^malformed_request: field "token": does not match the pattern of this scheme, \[[^ ]+; give the token exactly as the provider sent it$/,
);

interface Challenged {
  readonly format: Format;
  readonly use: SigningContext;
}

function respond({ format, use }: Challenged, request: unknown): unknown {
  return format.challenge?.(use, request);
}

function provider(name: 'zoom' | 'x'): Challenged {
  return inUse(name, {}, { secrets: [secret, previous], now: at(seconds) });
}

function custom(challenge: Partial<ChallengeScheme>, scheme: Partial<WebhookScheme> = {}): Challenged {
  const configured = {
    webhook: {
      signed: 'v0:{timestamp}:{body}',
      headers: { 'X-Time': '{timestamp}', 'X-Sig': 'v0={signature}' },
      ...scheme,
      challenge: { signed: '{token}', response: '{signature}', ...challenge },
    },
  };
  expect(webhook.problems?.(configured)).toEqual([]);
  const keys = [keyOf('HS256', secret), keyOf('HS256', previous)] as const;
  return { format: webhook.create(configured), use: useOf([...keys], { now: at(seconds) }) };
}

describe('zoom', () => {
  const zoom = provider('zoom');
  const plainToken = 'qgg8vlvZRS6UYooatFL8Aw';

  it('answers with the HMAC of the token in hex, by the primary', () => {
    expect(respond(zoom, { token: plainToken })).toEqual({ response: tag(plainToken, 'hex') });
  });

  it.each(['a'.repeat(8), 'a'.repeat(128), '--__--__', '12345678'])('takes %s', (token) => {
    expect(respond(zoom, { token })).toEqual({ response: tag(token, 'hex') });
  });

  it.each([
    '',
    'a'.repeat(7),
    'a'.repeat(129),
    'abcdefg ',
    ' abcdefgh',
    'abcdefgh\n',
    '\nabcdefgh',
    'abcdefgh\r\n',
    'abcd\nefgh',
    'abcdefgh\0',
    'abcdefg.',
    'abcdefg+',
    'abcdefg=',
    // Letters that look like others, or fold to them.
    'аbcdefgh',
    'ａｂｃｄｅｆｇｈ',
    'abcdefgı',
    'abcdefg\u212a',
    'abcdefgſ',
    'abcdefgh\u0301',
    'abcdefgh\u200b',
    '\ufeffabcdefgh',
    'abcdefg\ud800',
    '١٢٣٤٥٦٧٨',
    // Messages, and the beginnings of messages.
    `v0:${seconds}:{}`,
    `v0:${seconds}:`,
    `v0:${seconds}`,
    'v0:18000',
    'v0:1:aaaaaaaa',
  ])('does not sign %j', (token) => {
    expect(refusalOf(() => respond(zoom, { token }))).toEqual(noToken);
  });

  it.each<[string, unknown]>([
    ['no token', {}],
    ['a number', { token: 12345678 }],
    ['a list', { token: [plainToken] }],
    ['an object', { token: { toString: plainToken } }],
    ['null', { token: null }],
    ['another member', { token: plainToken, output: 'hex' }],
    ['a body', { token: plainToken, body: '{}' }],
    ['a tenant', { token: plainToken, tenant: 'a' }],
    ['a reference', { token: plainToken, reference: 'a' }],
    ['an own member __proto__', JSON.parse(`{"token":"${plainToken}","__proto__":{}}`)],
    ['the payload of Zoom', { payload: { plainToken }, event: 'endpoint.url_validation' }],
    ['a text', plainToken],
    ['a list of requests', [{ token: plainToken }]],
    ['nothing', null],
  ])('refuses %s', (_, request) => {
    expect(refusalOf(() => respond(zoom, request))).toMatch(/^malformed_request: /);
  });

  it('gives no signature of a message, and takes none as an answer', () => {
    const { response } = respond(zoom, { token: plainToken }) as { response: string };
    for (const body of [plainToken, '', plainToken.slice(1)]) {
      const headers = { 'x-zm-request-timestamp': `${seconds}`, 'x-zm-signature': `v0=${response}` };
      expect(zoom.format.verify(zoom.use, { body, headers })).toEqual({ valid: false, reason: 'mismatch' });
    }
  });
});

describe('x', () => {
  const x = provider('x');

  it('answers with the HMAC of the token in base64', () => {
    for (const token of ['challenge_string', 'YWJjZGVmZ2g=', 'a/b+c-d_e=']) {
      expect(respond(x, { token })).toEqual({ response: `sha256=${tag(token, 'base64')}` });
    }
  });

  it.each([
    'a'.repeat(7),
    'a'.repeat(129),
    '{"a":"bcdefgh"}',
    '"abcdefgh"',
    'abcdefgh\n',
    'a b c d e',
    '[1,2,3,4]',
    'a.b.c.d.e',
  ])('does not sign %j', (token) => {
    expect(refusalOf(() => respond(x, { token }))).toEqual(noToken);
  });

  it('signs what is a message of its own, and no JSON object or list', () => {
    const token = 'challenge_string';
    const { response } = respond(x, { token }) as { response: string };
    const headers = { 'x-twitter-webhooks-signature': response };
    // The scheme of X signs the bare body; a warning says so.
    expect(x.format.verify(x.use, { body: token, headers })).toMatchObject({ valid: true });
    expect(x.format.warnings).toEqual([
      'answers a challenge with the signature of a message that is the token alone',
    ]);
  });
});

describe('a custom scheme', () => {
  it('has its own text around the token, and around the response', () => {
    const own = custom(
      {
        signed: 'challenge:{token}.',
        response: 'crc={signature};v=1',
        output: 'base64',
        pattern: '[a-f]{4}-[0-9]{1,3}',
      },
      { signed: 'v0:{timestamp}:{body}' },
    );
    expect(respond(own, { token: 'abcd-7' })).toEqual({
      response: `crc=${tag('challenge:abcd-7.', 'base64')};v=1`,
    });
    for (const token of ['abcd-', 'abcd-1234', 'abcg-1', 'ABCD-1', 'challenge:abcd-7', 'abcd-7\n']) {
      expect(refusalOf(() => respond(own, { token }))).toEqual(noToken);
    }
  });

  it('has no challenge if it says none', () => {
    const configured = { webhook: { signed: '{body}', headers: { X: '{signature}' } } };
    expect(webhook.create(configured).challenge).toBeUndefined();
  });

  it.each(['[a-z]{0,100}-[a-z]{0,100}-[a-z]{0,100}', '[a-c]{0,250}d[a-c]{0,250}', '[ab]{0,200}c[ab]{12}'])(
    'judges long tokens of %s in no time',
    (pattern) => {
      const own = custom({ pattern });
      for (const text of ['a', 'ab', 'a-', 'abc', 'abcd', '-']) {
        for (const length of [100, 300, 2 ** 20]) {
          const start = performance.now();
          const token = `${text.repeat(length / text.length)}!`;
          expect(refusalOf(() => respond(own, { token }))).toEqual(noToken);
          expect(performance.now() - start).toBeLessThan(1000);
        }
      }
    },
  );
});

it('of any scheme that is accepted signs no token that is a message, or with which one begins', () => {
  const time = { seconds: '1800000000', milliseconds: '1800000000000', rfc3339: '2027-01-15T08:00:00Z' };
  const sent: Readonly<Record<string, string>> = {
    'X-Time': '{timestamp}',
    'X-Id': '{id}',
    'X-Nonce': '{nonce}',
  };
  const seen = { accepted: 0, refused: 0 };
  const texts = fc.constantFrom('', '.', ':', '-', 'v0:', 'a', '1', '=', '/', ' ');
  fc.assert(
    fc.property(
      fc.shuffledSubarray(
        ['{timestamp}', '{id}', '{nonce}', '{method}', '{path}', '{query}', '{header:x-a}'],
        {
          maxLength: 2,
        },
      ),
      fc.nat(2),
      fc.array(texts, { minLength: 4, maxLength: 4 }),
      fc.constantFrom<TimeUnit>('seconds', 'milliseconds', 'rfc3339'),
      fc.constantFrom('{token}', 'v0:{token}', '{token}.', '1{token}', 'crc:{token}', '/{token}'),
      fc.constantFrom(
        '[A-Za-z0-9_-]{8,128}',
        '[A-Z]{1,4}',
        '[0-9.:-]{1,24}',
        '[a1.:v0-]{1,6}',
        'v0:[a-z]{1,4}',
        '[=/a-z]{3}',
        '[A-Z0-9:.TZ-]{20}',
      ),
      fc.gen(),
      (variables, place, between, unit, signedToken, pattern, gen) => {
        const signed = variables
          .toSpliced(place, 0, '{body}')
          .map((variable, index) => `${between[index]}${variable}`)
          .join('')
          .concat(between[3] ?? '');
        const headers = Object.entries(sent).filter(([, variable]) => signed.includes(variable));
        const scheme: WebhookScheme = {
          signed,
          headers: { 'X-Sig': '{signature}', ...Object.fromEntries(headers) },
          ...(signed.includes('{timestamp}') && { timestamp: unit }),
          ambiguous: true,
          challenge: { signed: signedToken, response: '{signature}', pattern },
        };
        const compiled = compileScheme(scheme, 'HS256', false);
        if (!('signed' in compiled)) {
          seen.refused++;
          expect(compiled.map(({ path }) => path.join('.'))).toEqual(['challenge.pattern']);
          return;
        }
        seen.accepted++;
        const matching = fc.stringMatching(new RegExp(`^(?:${pattern})$`));
        const near = fc.constantFrom(
          time[unit],
          'v0:aaaa',
          'AAAAAAAA',
          '1:1:1',
          '1.1.1.1',
          '/aa',
          'a.a',
          'POST',
          'v0:1:a',
        );
        const parts = partsOf(signed);
        for (let count = 0; count < 20; count++) {
          const token = gen(() => fc.oneof(matching, near));
          if (compiled.challenge?.token.test(token) !== true) continue;
          const text = signedToken.replace('{token}', token);
          expect(countReadings(parts, text, unit), `${signed} reads ${text}`).toBe(0);
          // The body comes last, or is followed by text: then any beginning of a message could be continued.
          for (const more of ['', '.', ':', '1', 'a', ':1', `${time[unit]}`, `:${time[unit]}:`, ' ', '/']) {
            expect(countReadings(parts, `${text}${more}`, unit), `${signed} reads ${text}${more}`).toBe(0);
          }
        }
      },
    ),
    { numRuns: 400 },
  );
  expect(Math.min(seen.accepted, seen.refused)).toBeGreaterThan(40);
});
