/** Signed URLs of the signer's own scheme: the specification, what is refused, and what nobody can move. */

import { randomBytes } from 'node:crypto';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Circumstances, inUse, keyOf, refusalOf, signedFor } from '../support/format.ts';
import { configurationProblems } from '../support/keys.ts';

const secret = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
const now = '2026-11-24T12:00:00Z';
const later = (seconds: number) => new Date(Date.parse(now) + seconds * 1000).toISOString();
const signer = (options: object = {}, circumstances: Circumstances = {}) =>
  inUse('signed-url', options, { secrets: [secret], now, ...circumstances });

const url = 'https://files.example.com/downloads/a%20b.pdf?v=2&lang=de&v=1';

/** By the specification alone: no code of the signer. */
function written(lines: readonly string[], key: Uint8Array = secret): string {
  return Buffer.from(hmac(sha256, key, Buffer.from(lines.join('\n')))).toString('base64url');
}

describe('signing', () => {
  it('writes the test vector of the specification', () => {
    // docs/formats/signed-url.md shows how openssl computes it.
    const signature = '_9A0V9xSUTofSHB0G300GSsxDNoEI7a4FHug7-8fzIk';
    const lines = [
      'sidecar-signer-url-v1',
      'GET',
      'files.example.com',
      '/downloads/a%20b.pdf',
      'lang=de&v=2&v=1',
      '1795525200',
    ];
    expect(written(lines)).toBe(signature);
    expect(signer().sign({ url, method: 'GET', expiresSeconds: 3600 })).toEqual({
      url: `${url}&expires=1795525200&kid=a007ca2dce18a0ce&signature=${signature}`,
      expiresAt: '2026-11-24T13:00:00.000Z',
      keyId: keyOf('HS256', secret).id,
    });
  });

  it('writes a star if the URL is for every method, and an empty line if it has no query', () => {
    const signed = signer().sign({ url: 'http://files.example.com:8080/', expiresSeconds: 1 });
    const lines = ['sidecar-signer-url-v1', '*', 'files.example.com:8080', '/', '', '1795521601'];
    expect(signed.url).toMatch(/^http:\/\/files\.example\.com:8080\/\?expires=1795521601&kid=\w+&signature=/);
    expect(signed.url).toContain(`&signature=${written(lines)}`);
  });

  it('is valid for as long as the key set allows, unless less is asked for', () => {
    expect(signer().sign({ url }).expiresAt).toBe(later(3600));
    expect(signer({ maxExpiresSeconds: 60 }).sign({ url }).expiresAt).toBe(later(60));
    expect(refusalOf(() => signer().sign({ url, expiresSeconds: 3601 }))).toBe(
      'operation_not_allowed: this key may not sign such a URL; its configuration limits it by "maxExpiresSeconds"',
    );
    for (const expiresSeconds of [0, -1, 1.5, '60']) {
      expect(refusalOf(() => signer().sign({ url, expiresSeconds }))).toMatch(
        /^malformed_request.*expiresSeconds/,
      );
    }
  });

  it.each([
    ['a host that is not listed', { hosts: ['files.example.com'] }, 'https://other.example.com/a', 'hosts'],
    [
      'a host with another port',
      { hosts: ['files.example.com'] },
      'https://files.example.com:8443/a',
      'hosts',
    ],
    ['the domain of *.', { hosts: ['*.example.com'] }, 'https://example.com/a', 'hosts'],
    ['a host that only ends alike', { hosts: ['*.example.com'] }, 'https://evilexample.com/a', 'hosts'],
    [
      'a path outside',
      { pathPrefixes: ['/downloads/'] },
      'https://files.example.com/private/a',
      'pathPrefixes',
    ],
    [
      'the prefix without its slash',
      { pathPrefixes: ['/downloads/'] },
      'https://files.example.com/downloads',
      'pathPrefixes',
    ],
    [
      'an encoded prefix',
      { pathPrefixes: ['/downloads/'] },
      'https://files.example.com/%64ownloads/a',
      'pathPrefixes',
    ],
  ])('refuses %s', (_, options, target, option) => {
    expect(refusalOf(() => signer(options).sign({ url: target }))).toBe(
      `operation_not_allowed: this key may not sign such a URL; its configuration limits it by "${option}"`,
    );
    const { url: signed } = signer().sign({ url: target });
    expect(signer(options).verify({ url: signed })).toMatchObject({ reason: 'not_allowed' });
  });

  it('covers the method, where the key set lists methods', () => {
    const methods = signer({ methods: ['GET', 'PUT'] });
    expect(refusalOf(() => methods.sign({ url }))).toMatch(/^malformed_request: field "method": is required/);
    expect(refusalOf(() => methods.sign({ url, method: 'DELETE' }))).toMatch(/limits it by "methods"$/);
    expect(refusalOf(() => methods.sign({ url, method: 'get' }))).toMatch(
      /^malformed_request: field "method"/,
    );
    const signed = methods.sign({ url, method: 'GET' }).url;
    expect(methods.verify({ url: signed, method: 'GET' })).toMatchObject({ valid: true });
    expect(methods.verify({ url: signed, method: 'PUT' })).toEqual({ valid: false, reason: 'mismatch' });
    expect(methods.verify({ url: signer().sign({ url }).url, method: 'GET' })).toMatchObject({
      reason: 'mismatch',
    });
    expect(refusalOf(() => methods.verify({ url: signed }))).toMatch(/^malformed_request: field "method"/);
    const deleting = signer().sign({ url, method: 'DELETE' }).url;
    expect(methods.verify({ url: deleting, method: 'DELETE' })).toMatchObject({ reason: 'not_allowed' });
  });

  it('covers a method that is given, although the key set lists none', () => {
    const signed = signer().sign({ url, method: 'GET' }).url;
    expect(signer().verify({ url: signed, method: 'GET' })).toMatchObject({ valid: true });
    expect(signer().verify({ url: signed, method: 'POST' })).toEqual({ valid: false, reason: 'mismatch' });
    expect(signer().verify({ url: signed })).toEqual({ valid: false, reason: 'mismatch' });
    expect(signer().verify({ url: signer().sign({ url }).url, method: 'POST' })).toMatchObject({
      valid: true,
    });
  });
});

const host = 'https://files.example.com';
/** Each is refused when it is signed, and malformed when it is verified with a signature that fits it. */
const malformed: readonly string[] = [
  '',
  '/a',
  'files.example.com/a',
  '//files.example.com/a',
  'ftp://files.example.com/a',
  'javascript:alert(1)',
  'HTTPS://files.example.com/a',
  'https:/files.example.com/a',
  'https:///a',
  'https://FILES.example.com/a',
  'https://files.example.com./a',
  'https://files.example.com:443/a',
  'http://files.example.com:80/a',
  'https://files.example.com:/a',
  'https://files.example.com:08080/a',
  'https://files.example.com:99999/a',
  'https://user@files.example.com/a',
  'https://user:password@files.example.com/a',
  'https://files.example.com@evil.example/a',
  'https://files.example.com%2fa/a',
  'https://b\u00fccher.example/a',
  'https://127.1/a',
  'https://0x7f000001/a',
  'https://[::0001]/a',
  'https://[::1/a',
  'https://files.example.com?a=1',
  `${host}/a/../b`,
  `${host}/..`,
  `${host}/./a`,
  `${host}/a/.`,
  `${host}/a/%2e%2e/b`,
  `${host}/a/.%2E/b`,
  `${host}/a%2eb`,
  `${host}/a%2fb`,
  `${host}/a%2Fb`,
  `${host}/a%5cb`,
  `${host}/a\\b`,
  `${host}/a%252fb`,
  `${host}/a%252e%252e%252fb`,
  `${host}/a/..;/b`,
  `${host}/a/%c0%ae%c0%ae/b`,
  `${host}/a/%ef%bc%8e%ef%bc%8e/b`,
  `${host}/a%00b`,
  `${host}/a%0ab`,
  `${host}/a%7fb`,
  `${host}//a`,
  `${host}/a//b`,
  `${host}/a b`,
  `${host}/a\nb`,
  `${host}/a\tb`,
  `${host}/a\0b`,
  `${host}/caf\u00e9`,
  `${host}/\ud800`,
  `${host}/a%`,
  `${host}/a%2`,
  `${host}/a%zz`,
  `${host}/a"b`,
  `${host}/a[b]`,
  `${host}/a#b`,
  `${host}/a?b=1#c`,
  `${host}/a?`,
  `${host}/a?b=1&`,
  `${host}/a?&b=1`,
  `${host}/a?b=1&&c=2`,
  `${host}/a?=1`,
  `${host}/a?b=1&=`,
  `${host}/a?b=1;c=2`,
  `${host}/a?b='1'`,
  `${host}/a?b=<c>`,
  `${host}/a?b=%g1`,
  `${host}/a?%00b=1`,
  `${host}/a?b%0a=1`,
  `${host}/a?b]=1`,
  `${host}/a?[b]=1`,
  `${host}/a?b[c=1`,
  `${host}/a?b[c]d=1`,
  `${host}/a?b${'[c]'.repeat(9)}=1`,
  `${host}/a?b=1&%62=2`,
  `${host}/a?b=1&%2562=2`,
  `${host}/a?b=1&B=2`,
  `${host}/a?b.c=1&b_c=2`,
  `${host}/a?b+c=1&b%20c=2`,
  `${host}/a?b=1&b[]=2`,
  `${host}/a?b[]=1&b[0]=2`,
  `${host}/a?b[][c]=1&b[][d]=2`,
  `${host}/a?b[c]=1&b[c][d]=2`,
  `${host}/a?b[c]=1&b%5Bc%5D=2`,
  `${host}/a?${Array.from({ length: 201 }, (_, index) => `p${index}=1`).join('&')}`,
  `${host}/${'a'.repeat(16 * 1024)}`,
];

describe('a URL that two programs could read differently', () => {
  it.each(malformed)('is refused: %j', (target) => {
    expect(refusalOf(() => signer().sign({ url: target }))).toMatch(/^malformed_request: field "url": must /);
    const kid = keyOf('HS256', secret).id;
    for (const mark of target.includes('?') ? ['&'] : ['?']) {
      const received = `${target}${mark}expires=1795525200&kid=${kid}&signature=${written(['x'])}`;
      // A URL that ends in "?" is one with an empty parameter, and those are refused above.
      if (/\?$|^https:\/\/files\.example\.com\?/.test(target)) continue;
      expect(signer().verify({ url: received })).toMatchObject({ valid: false, reason: 'malformed' });
    }
  });

  const own = ['expires', 'kid', 'signature'];
  const lookalikes = own.flatMap((name) => [
    `${name}=1`,
    name,
    `${name.toUpperCase()}=1`,
    `%${Buffer.from(name.slice(0, 1)).toString('hex')}${name.slice(1)}=1`,
    `%25${Buffer.from(name.slice(0, 1)).toString('hex')}${name.slice(1)}=1`,
    `${name}[]=1`,
    `${name}%5B%5D=1`,
    `${name}[0]=1`,
    `+${name}=1`,
    `%20${name}=1`,
    `${name}%ff=1`,
    `%c2%a0${name}=1`,
  ]);
  it.each(lookalikes)('because a framework could take %s for one of ours, is refused', (parameter) => {
    expect(refusalOf(() => signer().sign({ url: `${host}/a?${parameter}` }))).toMatch(
      /^malformed_request: field "url": must not have parameters that could be read as expires, kid, signature/,
    );
    const signed = signer().sign({ url: `${host}/a` }).url;
    for (const received of [`${signed}&${parameter}`, signed.replace('?', `?${parameter}&`)]) {
      expect(signer().verify({ url: received })).toMatchObject({ valid: false, reason: 'malformed' });
    }
  });

  it('does not include what is written in one way only', () => {
    for (const target of [
      `${host}/`,
      host,
      `${host}/caf%C3%A9/100%25.pdf;v=1`,
      'http://[::1]:8080/a',
      'https://xn--bcher-kva.example/a',
      'http://127.0.0.1/a',
      `${host}/a?b`,
      `${host}/a?b=`,
      `${host}/a?b=c+d%20e%2Bf%3B&b=%00&b`,
      `${host}/a?user[name]=1&user[mail]=2&list[]=1&list[]=2&list[]=0`,
      `${host}/a?next=https://example.com/?x&expired=1&sig=2&kids=3`,
    ]) {
      const signed = signer().sign({ url: target }).url;
      expect(signed.startsWith(target)).toBe(true);
      expect(signer().verify({ url: signed })).toMatchObject({ valid: true });
    }
  });
});

describe('verification', () => {
  const signed = signer().sign({ url, method: 'GET' }).url;
  const reasonOf = (received: string, circumstances: Circumstances = {}) =>
    signer({}, circumstances).verify({ url: received, method: 'GET' });

  it('answers with what the signature proves', () => {
    expect(reasonOf(signed)).toEqual({
      valid: true,
      keyId: keyOf('HS256', secret).id,
      primary: true,
      expiresAt: later(3600),
    });
  });

  it('does not mind the order of parameters with different names', () => {
    const { origin, pathname, searchParams } = new URL(signed);
    const rest = ['signature', 'kid', 'expires'].map((name) => `${name}=${searchParams.get(name)}`).join('&');
    expect(reasonOf(`${origin}${pathname}?${rest}&v=2&v=1&lang=de`)).toMatchObject({ valid: true });
    expect(reasonOf(`${origin}${pathname}?${rest}&v=1&v=2&lang=de`)).toMatchObject({ reason: 'mismatch' });
  });

  it('does not cover the protocol, which a server behind a proxy does not know', () => {
    expect(reasonOf(signed.replace('https:', 'http:'))).toMatchObject({ valid: true });
  });

  it('ends at the second of the expiry', () => {
    expect(reasonOf(signed, { now: later(3599.9) })).toMatchObject({ valid: true });
    expect(reasonOf(signed, { now: later(3600) })).toEqual({ valid: false, reason: 'expired' });
  });

  it('refuses a URL that is valid for longer than the key set allows', () => {
    const long = signer({ maxExpiresSeconds: 86_400 }).sign({ url }).url;
    expect(signer().verify({ url: long })).toEqual({
      valid: false,
      reason: 'not_allowed',
      detail: 'the configuration limits URLs by "maxExpiresSeconds"',
    });
    // The clock of the signer that made the URL may be ahead.
    const ahead = signer({}, { now: later(60) }).sign({ url }).url;
    expect(signer().verify({ url: ahead })).toMatchObject({ valid: true });
    expect(signer().verify({ url: signer({}, { now: later(61) }).sign({ url }).url })).toMatchObject({
      reason: 'not_allowed',
    });
  });

  it.each([
    ['without a signature', (text: string) => text.replace(/&signature=.*/, ''), 'missing'],
    ['without an expiry', (text: string) => text.replace(/&expires=\d+/, ''), 'malformed'],
    [
      'with an expiry of another spelling',
      (text: string) => text.replace('expires=', 'expires=0'),
      'malformed',
    ],
    [
      'with an expiry that has a sign',
      (text: string) => text.replace('expires=', 'expires=%2B'),
      'malformed',
    ],
    ['with an empty signature', (text: string) => text.replace(/signature=.*/, 'signature='), 'malformed'],
    ['with a padded signature', (text: string) => `${text}=`, 'malformed'],
    ['with a short signature', (text: string) => text.slice(0, -2), 'malformed'],
    [
      'with a later expiry',
      (text: string) => text.replace('expires=1795525200', 'expires=1795525201'),
      'mismatch',
    ],
    ['of another path', (text: string) => text.replace('a%20b', 'a%20c'), 'mismatch'],
    ['of another host', (text: string) => text.replace('files.', 'file.'), 'mismatch'],
    ['of another port', (text: string) => text.replace('.com/', '.com:8443/'), 'mismatch'],
    ['of another value', (text: string) => text.replace('lang=de', 'lang=en'), 'mismatch'],
    ['with one parameter more', (text: string) => `${text}&x=1`, 'mismatch'],
    ['with one parameter less', (text: string) => text.replace('&lang=de', ''), 'mismatch'],
    [
      'with a parameter in the path',
      (text: string) => text.replace('?v=2', '%3Fv=2').replace('&lang', '?lang'),
      'mismatch',
    ],
  ])('refuses a URL %s', (_, change, reason) => {
    expect(change(signed)).not.toBe(signed);
    expect(reasonOf(change(signed))).toMatchObject({ valid: false, reason });
  });

  it('is by every key, and the id of the key only chooses among them', () => {
    const [old, other] = [randomBytes(32), randomBytes(32)];
    const both = signer({}, { secrets: [secret, old] });
    const byOld = signer({}, { secrets: [old] }).sign({ url }).url;
    const oldId = keyOf('HS256', old).id;
    expect(both.verify({ url: byOld })).toMatchObject({ valid: true, keyId: oldId, primary: false });
    expect(both.verify({ url: byOld.replace(/&kid=\w+/, '') })).toMatchObject({ valid: true, keyId: oldId });
    expect(both.verify({ url: byOld.replace(oldId, 'unknown') })).toMatchObject({
      valid: true,
      keyId: oldId,
    });
    expect(both.verify({ url: byOld.replace(oldId, '%zz') })).toMatchObject({ reason: 'malformed' });
    expect(both.verify({ url: byOld.replace(oldId, '%ff') })).toMatchObject({ valid: true });
    expect(both.verify({ url: byOld.replace(oldId, keyOf('HS256', secret).id) })).toMatchObject({
      reason: 'mismatch',
    });
    expect(both.verify({ url: signer({}, { secrets: [other] }).sign({ url }).url })).toMatchObject({
      reason: 'mismatch',
    });
  });

  it('writes a key id that is any text', () => {
    const { mac } = keyOf('HS256', secret);
    const named = signer({}, { keys: [{ id: 'a&signature=b c/\u00e9', mac }] });
    const result = named.sign({ url });
    expect(result.url).toContain('&kid=a%26signature%3Db%20c%2F%C3%A9&signature=');
    expect(named.verify({ url: result.url })).toMatchObject({ valid: true, keyId: 'a&signature=b c/\u00e9' });
  });

  it('has the names of parameters that the configuration gives', () => {
    const names = signer({ parameters: { expires: 'e', keyId: 'k', signature: 'X_s' } });
    const result = names.sign({ url: `${host}/a?signature=1` }).url;
    expect(result).toMatch(/\?signature=1&e=\d+&k=\w+&X_s=[\w-]{43}$/);
    expect(names.verify({ url: result })).toMatchObject({ valid: true });
    for (const lookalike of ['X.s=1', 'X%20s=1', 'x_S=1', 'X_s[]=1']) {
      expect(refusalOf(() => names.sign({ url: `${host}/a?${lookalike}` }))).toMatch(/^malformed_request/);
    }
  });

  it('takes a URL of as many bytes as the key set allows', () => {
    const small = signer({}, { maxMessageBytes: 40 });
    expect(refusalOf(() => small.sign({ url }))).toMatch(/^message_too_large/);
    expect(refusalOf(() => small.verify({ url: signed }))).toMatch(/^message_too_large/);
  });
});

describe('what is signed', () => {
  const segment = fc.string({
    unit: fc.constantFrom('a', 'b', '%0a', '%20', '-', ';', '=', '&', '*'),
    maxLength: 4,
  });
  const query = fc.array(fc.constantFrom('a=1', 'b=1', 'b=2', 'b', 'c[x]=1', 'c[y]=/', 'd=%0A', 'e=1'), {
    maxLength: 5,
  });
  const request = fc.record(
    {
      url: fc
        .tuple(
          fc.constantFrom(
            'https://a.example',
            'http://a.example',
            'https://b.example',
            'https://a.example:8443',
          ),
          fc.array(segment, { maxLength: 3 }),
          query,
        )
        .map(
          ([origin, path, pairs]) =>
            `${origin}/${path.join('/')}${pairs.length > 0 ? `?${pairs.join('&')}` : ''}`,
        ),
      method: fc.constantFrom('GET', 'PUT'),
      expiresSeconds: fc.integer({ min: 1, max: 3 }),
    },
    { requiredKeys: ['url', 'expiresSeconds'] },
  );
  type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

  /** What the application behind the URL sees. Parameters of other names may be in any order. */
  const meaning = ({ url: target, method, expiresSeconds }: Request) => {
    const { host: authority, pathname, search } = new URL(target);
    const pairs = search.slice(1).split('&');
    const byName = Object.entries(Object.groupBy(pairs, (pair) => pair.split('=')[0] ?? ''));
    return JSON.stringify([method ?? '*', authority, pathname, byName.sort(), expiresSeconds]);
  };

  it('is the same text for no two requests that mean different things', () => {
    const texts = new Map<string, string>();
    fc.assert(
      fc.property(request, (each) => {
        for (const { message } of signedFor('signed-url', {}, each)) {
          expect(texts.get(message) ?? meaning(each)).toBe(meaning(each));
          texts.set(message, meaning(each));
        }
      }),
      { numRuns: 5000 },
    );
    expect(texts.size).toBeGreaterThan(1000);
  });

  it('cannot be moved by any change of one character', () => {
    const target = `${host}/d/a%20b.pdf?v=2&l[x]=1&v=1`;
    const result = signer().sign({ url: target, method: 'GET' }).url;
    const characters = [...'0aBz-_.~/?&=%+;:@[]*,# \n'];
    let accepted = 0;
    const check = (received: string) => {
      if (!signer().verify({ url: received, method: 'GET' }).valid) return;
      accepted++;
      // Only the name of the key, which is a hint, and the protocol may differ.
      const essence = (text: string) => text.replace(/^https?/, '').replace(/&[^&=]*kid=[^&]*/, '');
      expect(essence(received)).toBe(essence(result));
    };
    for (let index = 0; index < result.length; index++) {
      check(result.slice(0, index) + result.slice(index + 1));
      for (const character of characters) {
        check(result.slice(0, index) + character + result.slice(index + 1));
        check(result.slice(0, index) + character + result.slice(index));
      }
    }
    expect(accepted).toBeGreaterThan(100);
  });
});

describe('the configuration', () => {
  it.each([
    ['{ hosts: [Files.example.com] }', 'keys.a.signed-url.hosts.0: must be a host in lower case'],
    ['{ hosts: [] }', 'keys.a.signed-url.hosts: must have at least 1 element'],
    ['{ pathPrefixes: [downloads] }', 'keys.a.signed-url.pathPrefixes.0: must begin with a slash'],
    ['{ methods: [get] }', 'keys.a.signed-url.methods.0: must be in upper case'],
    ['{ maxExpiresSeconds: 0 }', 'keys.a.signed-url.maxExpiresSeconds: must be at least 1'],
    ['{ maxExpiresSeconds: 315360001 }', 'keys.a.signed-url.maxExpiresSeconds: must be at most 315360000'],
    [
      '{ scheme: imgprox }',
      'keys.a.signed-url.scheme: must be one of sidecar, imgproxy, laravel, akamai; did you mean',
    ],
    ['{ scheme: imgproxy }', 'keys.a.signed-url.imgproxy: is missing; it needs salt and sources'],
    [
      '{ scheme: imgproxy, imgproxy: {} }',
      'keys.a.signed-url.imgproxy.salt: is missing; it must be a string',
    ],
    [
      '{ imgproxy: { salt: aa, sources: ["s3://b/"] } }',
      'keys.a.signed-url.imgproxy: is only for "scheme: imgproxy"',
    ],
    ['{ scheme: laravel, akamai: {} }', 'keys.a.signed-url.akamai: is only for "scheme: akamai"'],
    ['{ scheme: laravel, methods: [GET] }', 'keys.a.signed-url.methods: is only for the scheme sidecar'],
    ['{ scheme: akamai, parameters: {} }', 'keys.a.signed-url.parameters: is only for the scheme sidecar'],
    ['{ scheme: laravel, laravel: { absolute: false }, hosts: [a] }', 'keys.a.signed-url.hosts: is not for'],
    ['{ parameters: { expires: kid } }', 'keys.a.signed-url.parameters: must have three names'],
    ['{ parameters: { expires: KID } }', 'keys.a.signed-url.parameters: must have three names'],
    ['{ parameters: { expires: "a b" } }', 'keys.a.signed-url.parameters.expires: must be a name'],
    ['{ parameters: { kid: a } }', 'keys.a.signed-url.parameters.kid: unknown field'],
    [
      '{ scheme: imgproxy, imgproxy: { salt: xyz, sources: ["s3://b/"] } }',
      'keys.a.signed-url.imgproxy.salt: must be hexadecimal',
    ],
    [
      '{ scheme: imgproxy, imgproxy: { salt: "", sources: ["s3://b/"] } }',
      'keys.a.signed-url.imgproxy.salt: must be hexadecimal',
    ],
    [
      '{ scheme: imgproxy, imgproxy: { salt: aa, sources: ["https://img.example"] } }',
      'keys.a.signed-url.imgproxy.sources.0: must be the beginning of a URL',
    ],
    [
      '{ scheme: imgproxy, imgproxy: { salt: aa, sources: ["https://a@img.example/"] } }',
      'keys.a.signed-url.imgproxy.sources.0: must be the beginning of a URL',
    ],
    [
      '{ scheme: imgproxy, imgproxy: { salt: aa, sources: ["https://img.example/../"] } }',
      'keys.a.signed-url.imgproxy.sources.0: must have no dot segments',
    ],
    [
      '{ scheme: imgproxy, imgproxy: { salt: aa, sources: ["s3://b/"], options: [exp] } }',
      'keys.a.signed-url.imgproxy.options.0: must not be exp',
    ],
    [
      '{ scheme: imgproxy, pathPrefixes: [/a], imgproxy: { salt: aa, sources: ["s3://b/"] } }',
      'keys.a.signed-url.pathPrefixes: is not for the scheme imgproxy',
    ],
    ['{ scheme: akamai, akamai: { salt: "a~b" } }', 'keys.a.signed-url.akamai.salt: must be printable ASCII'],
    ['{ scheme: akamai, akamai: { acl: ["/a!/*"] } }', 'keys.a.signed-url.akamai.acl.0: must be a path'],
    ['{ scheme: akamai, akamai: { acl: ["/*/b"] } }', 'keys.a.signed-url.akamai.acl.0: must be a path'],
    ['{ tolerance: 1 }', 'keys.a.signed-url.tolerance: unknown field'],
  ])('%s is refused', (options, problem) => {
    const problems = configurationProblems(`keys: { a: { format: signed-url, signed-url: ${options} } }`);
    expect(
      problems.some((each) => each.startsWith(problem)),
      problems.join('\n'),
    ).toBe(true);
  });

  it('needs no options', () => {
    expect(configurationProblems('keys: { a: { format: signed-url } }')).toEqual([]);
    expect(signer().format.options).toEqual({
      scheme: 'sidecar',
      maxExpiresSeconds: 3600,
      parameters: { expires: 'expires', keyId: 'kid', signature: 'signature' },
    });
  });

  it('shows callers no salt', () => {
    const salt = '736563726574';
    for (const options of [
      { scheme: 'imgproxy', imgproxy: { salt, sources: ['s3://b/'] } },
      { scheme: 'akamai', akamai: { salt } },
    ]) {
      expect(JSON.stringify(signer(options).format.options)).not.toContain(salt);
    }
  });
});
