/** `explain`: each difference between a message and its signature, made by an independent HMAC, is found and named. */

import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { WebhookSignature } from '../../src/api/messages.ts';
import { type ProviderName, providers } from '../../src/api/providers.ts';
import type { Algorithm } from '../../src/signing/mac.ts';
import { ask, codesOf, now } from '../support/explained.ts';
import { inUse } from '../support/format.ts';
import { tagOf } from '../support/keys.ts';

const key = randomBytes(32);
const text = 'kP9-secret~of 34 characters, no hex';
const body = '{"id":1.0,"name":"Zoë & <Co>","url":"https://shop.example/a","b":[],"a":{"z":1,"y":null}}';

type Bytes = string | Uint8Array;
const hub = (secret: Bytes, message: Bytes, algorithm: Algorithm = 'HS256') =>
  `X-Hub-Signature-256: sha256=${tagOf(algorithm, secret, message).toString('hex')}`;

/** A message of the format `github`, which signs the body alone. */
const github = (
  secret: Bytes,
  signedBy: Bytes,
  settings: string,
  received: Bytes = body,
  signed: Bytes = body,
) =>
  ask({ settings: `{ format: github, ${settings} }`, secret, head: [hub(signedBy, signed)], body: received });

describe('a valid signature', () => {
  it('is explained by its key', async () => {
    const diagnosis = await github(text, text, 'encoding: text');
    expect(diagnosis).toMatchObject({ valid: true, primary: true, matches: true, differences: [] });
  });

  it('may be by another key of the set', async () => {
    const other = randomBytes(32);
    const jwk = (kid: string, bytes: Buffer) => ({ kty: 'oct', kid, k: bytes.toString('base64url') });
    const set = JSON.stringify({ primary: 'new', keys: [jwk('new', other), jwk('old', key)] });
    expect(await github(set, key, 'encoding: jwks')).toMatchObject({
      valid: true,
      keyId: 'old',
      primary: false,
    });
  });
});

describe('a key that is read otherwise', () => {
  const hex = key.toString('hex');
  const base64 = key.toString('base64');
  it.each<[what: string, settings: string, secret: Bytes, signedBy: Bytes, code: string, says: RegExp]>([
    ['hex as text', 'encoding: text', hex, key, 'key-encoding', /"encoding: hex"/],
    ['hex as text, the other way round', 'encoding: hex', hex, hex, 'key-encoding', /"encoding: text"/],
    ['base64 as text', 'encoding: text', base64, key, 'key-encoding', /"encoding: base64"/],
    ['base64, the other way round', 'encoding: base64', base64, base64, 'key-encoding', /"encoding: text"/],
    [
      'base64 without padding',
      'encoding: text',
      base64.replace(/=+$/, ''),
      key,
      'key-encoding',
      /base64url|padding/,
    ],
    ['base64url as text', 'encoding: text', key.toString('base64url'), key, 'key-encoding', /base64url/],
    ['whsec as text', 'encoding: text', `whsec_${base64}`, key, 'key-encoding', /"encoding: whsec"/],
    [
      'whsec, the other way round',
      'encoding: whsec',
      `whsec_${base64}`,
      `whsec_${base64}`,
      'key-encoding',
      /"encoding: text"/,
    ],
    ['v1,whsec as text', 'encoding: text', `v1,whsec_${base64}`, key, 'key-encoding', /from "whsec_" on/],
    [
      'what follows the prefix as text',
      'encoding: text',
      `whsec_${base64}`,
      base64,
      'key-prefix',
      /only what follows/,
    ],
    [
      'a prefix that is missing',
      'encoding: text',
      base64,
      `whsec_${base64}`,
      'key-prefix',
      /with its prefix/,
    ],
    ['a newline that counts', 'encoding: text', `${text}\n`, `${text}\n`, 'key-newline', /echo -n/],
    ['a newline of the sender', 'encoding: text', text, `${text}\n`, 'key-newline', /echo -n/],
    ['quotes', 'encoding: text', `"${text}"`, text, 'key-wrapping', /quotes/],
    ['spaces', 'encoding: text', `  ${text} `, text, 'key-space', /white space/],
    ['NAME=value', 'encoding: text', `WEBHOOK_SECRET=${text}`, text, 'key-wrapping', /name/],
    ['NAME="value"', 'encoding: text', `WEBHOOK_SECRET="${text}"`, text, 'key-wrapping', /name/],
    ['a JSON object', 'encoding: text', JSON.stringify({ secret: text }), text, 'key-wrapping', /JSON/],
    [
      'base64 twice',
      'encoding: base64',
      Buffer.from(base64).toString('base64'),
      key,
      'key-encoding',
      /once more/,
    ],
    [
      'base64 with a newline in it',
      'encoding: base64',
      Buffer.from(`${text}\n`).toString('base64'),
      text,
      'key-newline',
      /anew/,
    ],
    ['digits in upper case', 'encoding: text', hex, hex.toUpperCase(), 'key-encoding', /letter case/],
    ['raw bytes as hex', 'encoding: bytes', key, hex, 'key-encoding', /sender has to decode/],
    ['raw bytes as base64', 'encoding: bytes', key, base64, 'key-encoding', /sender has to decode/],
    [
      'k of a JWK as text',
      'encoding: jwks',
      JSON.stringify({ primary: 'a', keys: [{ kty: 'oct', kid: 'a', k: key.toString('base64url') }] }),
      key.toString('base64url'),
      'key-encoding',
      /base64url/,
    ],
    [
      'a disabled key',
      'encoding: jwks',
      JSON.stringify({
        primary: 'b',
        keys: [
          { kty: 'oct', kid: 'a', k: key.toString('base64url'), disabled: true },
          { kty: 'oct', kid: 'b', k: randomBytes(32).toString('base64url') },
        ],
      }),
      key,
      'key-disabled',
      /disabled/,
    ],
  ])('is found: %s', async (_, settings, secret, signedBy, code, says) => {
    const diagnosis = await github(secret, signedBy, settings);
    expect(diagnosis).toMatchObject({ valid: false, reason: 'mismatch' });
    expect(codesOf(diagnosis)).toEqual([code]);
    expect(diagnosis.differences.map(({ when, remedy }) => `${when} ${remedy}`).join()).toMatch(says);
  });

  it('of a JWK set is named by its place if its id could be a key', async () => {
    const [kid, k] = [randomBytes(32).toString('base64url'), 'c2hvcnQtYnV0LW9r'];
    const keys = [
      { kty: 'oct', kid: 'a', k: key.toString('base64url') },
      { kty: 'oct', kid, k, disabled: true },
    ];
    const diagnosis = await github(JSON.stringify({ primary: 'a', keys }), 'short-but-ok', 'encoding: jwks');
    expect(codesOf(diagnosis)).toEqual(['key-disabled']);
    expect(diagnosis.differences[0]?.when).toContain('the key number 2 of the set');
    expect(JSON.stringify(diagnosis)).not.toContain(kid);
  });

  it('is found although the key set cannot be loaded', async () => {
    const diagnosis = await github(`${text}\n`, text, 'encoding: hex');
    expect(diagnosis).toMatchObject({
      reason: 'not_loaded',
      problems: [expect.stringContaining('is not hex')],
    });
    expect(codesOf(diagnosis)).toEqual(['key-encoding']);
    // Weak, so that it is refused, and yet the right key.
    expect(codesOf(await github('short', 'short', 'encoding: text'))).toEqual([]);
  });

  it('needs consent where the format decodes such secrets', async () => {
    const secret = `whsec_${key.toString('base64')}`;
    const tag = tagOf('HS256', secret, `msg_1.${now / 1000}.${body}`).toString('base64');
    const head = ['webhook-id: msg_1', `webhook-timestamp: ${now / 1000}`, `webhook-signature: v1,${tag}`];
    const settings = '{ format: standard-webhooks, encoding: whsec }';
    const { differences } = await ask({ settings, secret, head, body });
    expect(differences.map(({ remedy }) => remedy).join()).toContain('"allowUndecoded: true"');
  });
});

describe('a body that was changed', () => {
  const parsed = JSON.parse(body);
  const compact = JSON.stringify(parsed);
  const escapeAll = (each: string) =>
    each.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const python = (each: string) => each.replaceAll(/([,:])(?=["[{\d]|null)/g, '$1 ');
  it.each<[what: string, signed: Bytes, received: Bytes, code: string, says: RegExp]>([
    ['spaces, as Python has them', python(compact), compact, 'body-json', /Python/],
    ['\\u escapes, as Python has them', escapeAll(python(compact)), compact, 'body-json', /\\uXXXX/],
    ['two spaces', JSON.stringify(parsed, null, 2), compact, 'body-json', /two spaces/],
    ['four spaces', JSON.stringify(parsed, null, 4), compact, 'body-json', /four spaces/],
    ['tabs', JSON.stringify(parsed, null, '\t'), compact, 'body-json', /tabs/],
    ['compact', compact, JSON.stringify(parsed, null, 2), 'body-json', /without white space/],
    ['compact, with the digits of a number', body, python(body), 'body-json', /without white space/],
    ['PHP', escapeAll(compact).replaceAll('/', '\\/'), compact, 'body-json', /PHP/],
    ['only slashes', compact.replaceAll('/', '\\/'), compact, 'body-json', /\\\//],
    [
      'Go',
      `${compact.replace('<', '\\u003c').replace('>', '\\u003e').replace('&', '\\u0026')}\n`,
      compact,
      'body-json',
      /Go/,
    ],
    ['UTF-8 from escapes', compact, escapeAll(compact), 'body-json', /without white space/],
    ['sorted', '{"a":1,"b":{"c":2,"d":3}}', '{"b":{"d":3,"c":2},"a":1}', 'body-json', /sorted/],
    ['a newline that was added', body, `${body}\n`, 'body-newline', /left out/],
    ['a CRLF that was added', body, `${body}\r\n`, 'body-newline', /CRLF/],
    ['a newline that was stripped', `${body}\n`, body, 'body-newline', /added/],
    ['a CRLF that was stripped', `${body}\r\n`, body, 'body-newline', /added/],
    ['white space around it', 'text', '  text \t', 'body-newline', /white space/],
    ['LF from CRLF', 'a\r\nb\r\n', 'a\nb\n', 'body-line-ends', /CRLF/],
    ['CRLF from LF', 'a\nb\n', 'a\r\nb\r\n', 'body-line-ends', /LF/],
    ['a BOM that was added', 'text', '\ufefftext', 'body-bom', /left out/],
    ['a BOM that was stripped', '\ufefftext', 'text', 'body-bom', /in front/],
    ['UTF-8 from Latin-1', Buffer.from('Zoë', 'latin1'), 'Zoë', 'body-charset', /ISO-8859-1/],
    ['Latin-1 from UTF-8', 'Zoë', Buffer.from('Zoë', 'latin1'), 'body-charset', /UTF-8/],
    ['a form with +', 'a=x+y&b=%2F', 'a=x%20y&b=%2F', 'body-form', /anew/],
    ['a form with %20', 'a=x%20y&b=%2F', 'a=x+y&b=/', 'body-form', /%20/],
    ['lower-case escapes', 'a=%2f%3a', 'a=%2F%3A', 'body-form', /lower-case/],
    ['a form around JSON', `payload=${encodeURIComponent('{"a":1}')}`, '{"a":1}', 'body-form', /payload/],
    ['JSON in a form', '{"a":1}', `payload=${encodeURIComponent('{"a":1}')}`, 'body-form', /only the value/],
    ['base64 of a gateway', body, Buffer.from(body).toString('base64'), 'body-base64', /base64/],
    ['a JSON string', compact, JSON.stringify(compact), 'body-json-string', /second time/],
    ['chunks', 'hello world', '5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n', 'body-chunked', /chunks/],
    ['nothing', '', body, 'body-empty', /empty/],
  ])('is found: %s', async (_, signed, received, code, says) => {
    const diagnosis = await github(text, text, 'encoding: text', received, signed);
    expect(diagnosis).toMatchObject({ valid: false, reason: 'mismatch' });
    expect(codesOf(diagnosis)).toEqual([code]);
    expect(diagnosis.differences.map(({ when, remedy }) => `${when} ${remedy}`).join()).toMatch(says);
  });

  it('is found together with the key, and with a header', async () => {
    const hex = key.toString('hex');
    expect(codesOf(await github(hex, key, 'encoding: text', compact, python(compact)))).toEqual([
      'key-encoding',
      'body-json',
    ]);
    const head = [hub(text, python(compact)).replace('sha256=', '')];
    const settings = '{ format: github, encoding: text }';
    expect(codesOf(await ask({ settings, secret: text, head, body: compact }))).toEqual([
      'signature-prefix',
      'body-json',
    ]);
  });

  it('that ends where Content-Length says is found, and the difference is noted', async () => {
    const head = [hub(text, body), `Content-Length: ${body.length + 1}`];
    const diagnosis = await ask({
      settings: '{ format: github, encoding: text }',
      secret: text,
      head,
      body: `${body}and more`,
    });
    expect(codesOf(diagnosis)).toEqual(['body-length']);
    expect(diagnosis.notes.join()).toMatch(/Content-Length says 90 bytes, and the body has 98/);
  });
});

describe('headers that were changed', () => {
  const tag = tagOf('HS256', text, body);
  const settings = '{ format: github, encoding: text }';
  const asGithub = (...head: readonly string[]) => ask({ settings, secret: text, head, body });
  it.each<[what: string, head: readonly string[], reason: string, codes: readonly string[]]>([
    [
      'another name',
      [`X-Amzn-Remapped-X-Hub-Signature-256: sha256=${tag.toString('hex')}`],
      'missing',
      ['header-name'],
    ],
    [
      'a name of CGI',
      [`HTTP_X_HUB_SIGNATURE_256: sha256=${tag.toString('hex')}`],
      'missing',
      ['header-name'],
    ],
    ['a name of their own', [`X-Partner: sha256=${tag.toString('hex')}`], 'missing', ['header-name']],
    [
      'upper case',
      [`X-Hub-Signature-256: sha256=${tag.toString('hex').toUpperCase()}`],
      'malformed',
      ['signature-case'],
    ],
    ['no prefix', [`X-Hub-Signature-256: ${tag.toString('hex')}`], 'malformed', ['signature-prefix']],
    ['another prefix', [`X-Hub-Signature-256: v1=${tag.toString('hex')}`], 'malformed', ['signature-prefix']],
    [
      'base64',
      [`X-Hub-Signature-256: sha256=${tag.toString('base64')}`],
      'malformed',
      ['signature-encoding'],
    ],
    [
      'base64 of hex',
      [`X-Hub-Signature-256: sha256=${Buffer.from(tag.toString('hex')).toString('base64')}`],
      'malformed',
      ['signature-encoding'],
    ],
    [
      'folded',
      [`X-Hub-Signature-256: sha256=${tag.toString('hex', 0, 16)}`, ` ${tag.toString('hex', 16)}`],
      'malformed',
      ['signature-space'],
    ],
    [
      'in quotes',
      [`X-Hub-Signature-256: sha256="${tag.toString('hex')}"`],
      'malformed',
      ['signature-quotes'],
    ],
    [
      'cut to a half',
      [`X-Hub-Signature-256: sha256=${tag.toString('hex', 0, 16)}`],
      'malformed',
      ['signature-cut'],
    ],
    [
      'SHA-1',
      [`X-Hub-Signature-256: sha256=${tagOf('HMAC-SHA1', text, body).toString('hex')}`],
      'malformed',
      ['hash'],
    ],
    [
      'SHA-512',
      [`X-Hub-Signature-256: sha256=${tagOf('HS512', text, body).toString('hex')}`],
      'malformed',
      ['hash'],
    ],
    ['of Shopify', [`X-Shopify-Hmac-Sha256: ${tag.toString('base64')}`], 'missing', ['format']],
    [
      'of Stripe',
      [
        `Stripe-Signature: t=${now / 1000},v1=${tagOf('HS256', text, `${now / 1000}.${body}`).toString('hex')}`,
      ],
      'missing',
      ['format'],
    ],
  ])('are found: %s', async (_, head, reason, codes) => {
    const diagnosis = await asGithub(...head);
    expect(diagnosis).toMatchObject({ valid: false, reason });
    expect(codesOf(diagnosis)).toEqual(codes);
  });

  it('are not found where too little is left of a signature: it could be guessed byte by byte', async () => {
    for (const bytes of [0, 1, 8, 15]) {
      const diagnosis = await asGithub(`X-Hub-Signature-256: sha256=${tag.toString('hex', 0, bytes)}`);
      expect([bytes, codesOf(diagnosis)]).toEqual([bytes, undefined]);
    }
  });

  it('say which header is missing, and which format the others are of', async () => {
    const { notes, reason } = await asGithub('Stripe-Signature: t=1,v1=00', 'Host: hooks.example');
    expect({ notes, reason }).toEqual({
      notes: [
        'The header X-Hub-Signature-256 is missing.',
        'The request has headers that these formats read: stripe.',
      ],
      reason: 'missing',
    });
  });
});

describe('a time', () => {
  const seconds = now / 1000;
  const stripe = (signedTime: string | number, sentTime = signedTime, settings = '', nowMs = now) =>
    ask({
      settings: `{ format: stripe, encoding: text ${settings} }`,
      secret: text,
      head: [
        `Stripe-Signature: t=${sentTime},v1=${tagOf('HS256', text, `${signedTime}.${body}`).toString('hex')}`,
      ],
      body,
      nowMs,
    });

  it('that is too old or too new is said, and by how much', async () => {
    const old = await stripe(seconds - 1000);
    expect(old).toMatchObject({ valid: false, reason: 'expired', differences: [], matches: true });
    expect(old.clock?.code).toBe('time-expired');
    expect(old.clock?.text).toMatch(
      /is 16 minutes before 2027-01-15T08:00:00Z.*tolerance is 5 minutes.*outside by 11 minutes/,
    );
    const early = await stripe(seconds + 400);
    expect(early).toMatchObject({ reason: 'not_yet_valid', clock: { code: 'time-future' } });
    expect(early.clock?.text).toMatch(/6 minutes after .*\(futureToleranceSeconds\).*outside by 100 seconds/);
  });

  it('is judged as of another time', async () => {
    expect(await stripe(seconds - 1000, undefined, '', now - 1_000_000)).toMatchObject({ valid: true });
  });

  it('in another unit is named', async () => {
    const diagnosis = await stripe(now);
    expect(diagnosis).toMatchObject({ reason: 'malformed', matches: true, clock: { code: 'time-unit' } });
    expect(diagnosis.clock?.text).toMatch(
      /is milliseconds since 1970, and this key set reads it as Unix seconds/,
    );
  });

  it('that is signed otherwise than it is sent is found', async () => {
    expect(codesOf(await stripe(now, seconds))).toEqual(['time-text']);
  });

  it('is looked at beside another difference', async () => {
    const diagnosis = await ask({
      settings: '{ format: slack, encoding: text }',
      secret: key.toString('hex'),
      head: [
        `X-Slack-Request-Timestamp: ${seconds - 3600}`,
        `X-Slack-Signature: v0=${tagOf('HS256', key, `v0:${seconds - 3600}:${body}`).toString('hex')}`,
      ],
      body,
    });
    expect(codesOf(diagnosis)).toEqual(['key-encoding']);
    expect(diagnosis.clock?.code).toBe('time-expired');
  });

  it('that was received twice is used once', async () => {
    const diagnosis = await ask({
      settings: '{ format: slack, encoding: text }',
      secret: text,
      head: [
        'X-Slack-Request-Timestamp: 1',
        `X-Slack-Request-Timestamp: ${seconds}`,
        `X-Slack-Signature: v0=${tagOf('HS256', text, `v0:${seconds}:${body}`).toString('hex')}`,
      ],
      body,
    });
    expect(diagnosis.reason).toBe('malformed');
    expect(codesOf(diagnosis)).toEqual(['header-repeated']);
  });
});

describe('a URL', () => {
  const signed = 'https://hooks.example/in?a=1';
  const square = (at: string, head: readonly string[], url?: string) =>
    ask({
      settings: '{ format: square, encoding: text }',
      secret: text,
      head: [...head, `x-square-hmacsha256-signature: ${tagOf('HS256', text, at + body).toString('base64')}`],
      body,
      ...(url !== undefined && { url }),
    });
  const asked = ['POST /in?a=1 HTTP/1.1', 'Host: hooks.example'];

  it('is made of the request line and Host, or given', async () => {
    expect(await square(signed, asked)).toMatchObject({ valid: true });
    expect(await square(signed, ['Host: internal'], signed)).toMatchObject({ valid: true });
    const unknown = await square(signed, []);
    expect(unknown).toMatchObject({ valid: false, reason: 'refused', matches: false });
    expect(unknown.notes.join()).toContain('give it with --url');
  });

  it.each<[what: string, signed: string, head: readonly string[], says: RegExp]>([
    ['http', 'http://hooks.example/in?a=1', asked, /begins with http:/],
    [
      'a host behind a proxy',
      signed,
      ['POST /in?a=1 HTTP/1.1', 'Host: 10.0.0.1:8080', 'X-Forwarded-Host: hooks.example'],
      /X-Forwarded-Host/,
    ],
    ['a port', 'https://hooks.example:443/in?a=1', asked, /port 443/],
    ['no port', signed, ['POST /in?a=1 HTTP/1.1', 'Host: hooks.example:8080'], /no port/],
    ['a slash at the end', 'https://hooks.example/in/?a=1', asked, /ends with a slash/],
    ['no slash at the end', signed, ['POST /in/?a=1 HTTP/1.1', 'Host: hooks.example'], /no slash/],
    ['no query', 'https://hooks.example/in', asked, /no query/],
    [
      'a prefix that was stripped',
      'https://hooks.example/api/in?a=1',
      [...asked, 'X-Forwarded-Prefix: /api'],
      /prefix/,
    ],
    [
      'a path that was rewritten',
      'https://hooks.example/v2/in?b',
      [...asked, 'X-Original-URI: /v2/in?b'],
      /before a proxy/,
    ],
    ['several of them', 'http://hooks.example:80/in?a=1', asked, /port 80, and the URL begins with http:/],
  ])('is found: %s', async (_, url, head, says) => {
    const diagnosis = await square(url, head);
    expect(codesOf(diagnosis)).toEqual(['url']);
    expect(diagnosis.differences[0]?.when).toMatch(says);
  });

  it('is found together with the key', async () => {
    const at = 'http://hooks.example/in?a=1';
    const diagnosis = await ask({
      settings: '{ format: square, encoding: text }',
      secret: key.toString('hex'),
      head: [...asked, `x-square-hmacsha256-signature: ${tagOf('HS256', key, at + body).toString('base64')}`],
      body,
    });
    expect(codesOf(diagnosis)).toEqual(['url', 'key-encoding']);
  });

  it('has a method beside it', async () => {
    const message = `POSThttps://hooks.example/in${body}${now}`;
    const head = [
      'GET /in HTTP/1.1',
      'Host: hooks.example',
      `X-HubSpot-Signature-v3: ${tagOf('HS256', text, message).toString('base64')}`,
      `X-HubSpot-Request-Timestamp: ${now}`,
    ];
    const settings = '{ format: hubspot, encoding: text }';
    expect(codesOf(await ask({ settings, secret: text, head, body }))).toEqual(['method']);
  });

  it('with a form is verified as Twilio signs it', async () => {
    const at = 'https://hooks.example/sms';
    const tag = tagOf('HMAC-SHA1', text, `${at}Bodyhi thereFrom+1`).toString('base64');
    const settings = '{ format: twilio, encoding: text }';
    const head = ['POST /sms HTTP/1.1', 'Host: hooks.example', `X-Twilio-Signature: ${tag}`];
    const form = 'From=%2B1&Body=hi+there';
    expect(await ask({ settings, secret: text, head, body: form })).toMatchObject({ valid: true });
    const inside = [
      ...head.slice(0, 1),
      'Host: app:3000',
      'X-Forwarded-Host: hooks.example',
      ...head.slice(2),
    ];
    expect(codesOf(await ask({ settings, secret: text, head: inside, body: form }))).toEqual(['url']);
  });
});

describe('a scheme of a configuration', () => {
  const settings = (signed: string) =>
    `{ format: webhook, encoding: text, webhook: { signed: "${signed}", headers: { X-T: "{timestamp}", X-S: "{signature}" } } }`;
  const seconds = `${now / 1000}`;
  const head = (message: string) => [
    `X-T: ${seconds}`,
    `X-S: ${tagOf('HS256', text, message).toString('hex')}`,
  ];

  it('is verified', async () => {
    const message = `${seconds}.${body}`;
    expect(
      await ask({ settings: settings('{timestamp}.{body}'), secret: text, head: head(message), body }),
    ).toMatchObject({
      valid: true,
    });
  });

  it.each([
    ['another separator', `${seconds}:${body}`, '{timestamp}:{body}'],
    ['the body alone', body, '{body}'],
    ['a version in front', `v0:${seconds}:${body}`, 'v0:{timestamp}:{body}'],
  ])('that signs another string is found: %s', async (_, message, template) => {
    const diagnosis = await ask({
      settings: settings('{timestamp}.{body}'),
      secret: text,
      head: head(message),
      body,
    });
    expect(codesOf(diagnosis)).toEqual(['signed-string']);
    expect(diagnosis.differences[0]?.remedy).toBe(`Set "signed: '${template}'" under "webhook".`);
  });
});

describe('a scheme that signs a header of the connection', () => {
  const settings =
    '{ format: webhook, encoding: text, webhook: { signed: "{header:host}\\n{method}\\n{body}", headers: { X-S: "{signature}" } } }';
  const head = (message: string) => [
    'POST /in HTTP/1.1',
    'Host: hooks.example',
    `X-S: ${tagOf('HS256', text, message).toString('hex')}`,
  ];

  it('is verified as a JSON request is, and explained', async () => {
    const message = `hooks.example\nPOST\n${body}`;
    expect(await ask({ settings, secret: text, head: head(message), body })).toMatchObject({ valid: true });
    const changed = await ask({ settings, secret: text, head: head(`${message}\n`), body });
    expect(changed.reason).toBe('mismatch');
    expect(codesOf(changed)).toEqual(['body-newline']);
  });
});

describe('raw', () => {
  it.each([
    ['of the HTTP API', 'Sec-Signer-Signature'],
    ['of their own', 'X-Signature'],
  ])('takes the signature from a header %s', async (_, name) => {
    const head = ['ETag: "abc"', `${name}: ${tagOf('HS512', text, body).toString('base64')}`];
    const settings = '{ encoding: text, algorithm: HS512, output: base64 }';
    expect(await ask({ settings, secret: text, head, body })).toMatchObject({ valid: true });
    expect(codesOf(await ask({ settings, secret: text, head, body: `${body}\n` }))).toEqual(['body-newline']);
  });

  it('says that there is no signature', async () => {
    const diagnosis = await ask({ settings: '{ encoding: text }', secret: text, head: ['Host: a'], body });
    expect(diagnosis).toMatchObject({ valid: false, reason: 'refused', matches: false });
  });
});

describe('every webhook format', () => {
  it.each(Object.keys(providers) as ProviderName[])('is explained: %s', async (name) => {
    const isForm = name === 'twilio';
    const message = isForm ? 'a=1&b=2' : JSON.stringify({ webhookTimestamp: now, event: 'paid' });
    const { format, use } = inUse(name, {}, { secrets: [key], now: new Date(now).toISOString() });
    const told: Readonly<Record<string, string>> = {
      'sec-signer-url': 'https://hooks.example/in?a=1',
      'sec-signer-method': 'POST',
    };
    const signing = format.startSigning?.(use, (header) => told[header]);
    if (signing === undefined) throw new Error('a webhook format takes the message as it is');
    signing.update(Buffer.from(message));
    const { headers } = signing.finish() as WebhookSignature;
    const sent = Object.entries(headers).map(([header, value]) => `${header}: ${value}`);
    const head = ['POST /in?a=1 HTTP/1.1', 'Host: hooks.example', ...sent];
    const asked = (encoding: string, received: string, nowMs = now) => {
      const settings = `{ format: ${name}, encoding: ${encoding} }`;
      return ask({ settings, secret: key.toString('hex'), head, body: received, nowMs });
    };
    expect(await asked('hex', message)).toMatchObject({ valid: true, notes: [] });
    expect(codesOf(await asked('text', message))).toEqual(['key-encoding']);
    if (!isForm) expect(codesOf(await asked('hex', `${message}\n`))).toEqual(['body-newline']);
    const { reason, clock } = await asked('hex', message, now + 86_400_000);
    const isTimed = 'toleranceSeconds' in format.options;
    expect([reason, clock?.code]).toEqual(isTimed ? ['expired', 'time-expired'] : [undefined, undefined]);
  });
});

describe('what nothing explains', () => {
  it('is said, with what was ruled out', async () => {
    const diagnosis = await github(text, randomBytes(32), 'encoding: text');
    expect(diagnosis).toMatchObject({ valid: false, reason: 'mismatch', matches: false, differences: [] });
    expect(diagnosis.tried).toMatchObject({ isBounded: false });
    expect(diagnosis.tried?.keys).toBeGreaterThan(5);
    expect(diagnosis.tried?.bodies).toBeGreaterThan(20);
    expect(diagnosis.tried?.pairs).toBeGreaterThan(100);
  });
});
