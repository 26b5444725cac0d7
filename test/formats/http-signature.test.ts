/** HTTP message signatures: the examples of RFC 9421 and RFC 9530, and what a verifier must not fall for. */

import { createHmac, randomBytes } from 'node:crypto';
import { isInnerList, parseDictionary } from 'structured-headers';
import { describe, expect, it } from 'vitest';
import type { HttpRequest, HttpSignature } from '../../src/api/messages.ts';
import { parseHttpRequest } from '../../src/formats/http-request.ts';
import {
  type Component,
  parseComponents,
  signatureBase,
  toComponents,
} from '../../src/formats/http-signature/component.ts';
import { contentDigest, isDigestOf } from '../../src/formats/http-signature/content-digest.ts';
import { keyId } from '../../src/signing/mac.ts';
import { type Circumstances, inUse, refusalOf } from '../support/format.ts';
import { configurationProblems } from '../support/keys.ts';
import { readVectors } from '../support/vectors.ts';

const secret = randomBytes(32);
const now = '2026-11-24T12:00:00Z';
const nowSeconds = Date.parse(now) / 1000;
const secondsAgo = (seconds: number) => new Date((nowSeconds - seconds) * 1000).toISOString();

const signer = (options: object = {}, circumstances: Circumstances = {}) =>
  inUse('http-signature', options, { secrets: [secret], now, ...circumstances });

/** Everything that a request carries, headers and all. */
type Sent = HttpRequest & { readonly headers: Readonly<Record<string, string | readonly string[]>> };

const request: Sent = {
  method: 'POST',
  url: 'https://example.com/orders?id=7',
  headers: { 'Content-Type': 'application/json' },
  body: '{"hello": "world"}',
};
const bodiless: Sent = { method: 'GET', url: 'https://example.com/orders', headers: {} };

/** The request as it goes out with what the signer answers. */
function sent(given: Sent, options: object = {}, circumstances: Circumstances = {}): Sent {
  const { headers } = signer(options, circumstances).sign(given) as HttpSignature;
  return { ...given, headers: { ...given.headers, ...headers } };
}

/** What somebody else signs who has the key and does as RFC 9421 says, whatever the parameters. */
function signedAs(
  given: Sent,
  signatureParameters: string,
  label = 'theirs',
  key: Uint8Array = secret,
): Sent {
  const input = parseDictionary(`sig=${signatureParameters}`).get('sig');
  const components = input && isInnerList(input) ? toComponents(input[0]) : [];
  const { base } = signatureBase(usable(components), parseHttpRequest(given), signatureParameters);
  const tag = createHmac('sha256', key)
    .update(base ?? '')
    .digest('base64');
  return withHeaders(given, {
    'signature-input': `${label}=${signatureParameters}`,
    signature: `${label}=:${tag}:`,
  });
}

function withHeaders(given: Sent, headers: Sent['headers']): Sent {
  return { ...given, headers: { ...given.headers, ...headers } };
}

const digest = { 'Content-Digest': contentDigest(Buffer.from(request.body ?? '')) };
const enough = '"@method" "@authority" "@path" "@query" "content-digest"';
const created = `created=${nowSeconds}`;

interface BaseVector {
  readonly name: string;
  readonly request: HttpRequest;
  readonly signatureParameters: string;
  readonly base: string;
  readonly key?: string;
  readonly signature?: string;
}

describe.each(readVectors<BaseVector>('rfc9421-base'))('RFC 9421 $name', (vector) => {
  it('has the published signature base', () => {
    const input = parseDictionary(`sig=${vector.signatureParameters}`).get('sig');
    const components = input && isInnerList(input) ? toComponents(input[0]) : [];
    const message = parseHttpRequest(vector.request);
    expect(signatureBase(usable(components), message, vector.signatureParameters).base).toBe(vector.base);
  });
});

describe.each(readVectors<BaseVector>('rfc9421-base').filter(({ key }) => key !== undefined))(
  'RFC 9421 $name, whose signature is published',
  ({ key = '', request: published, signatureParameters, signature }) => {
    const secrets = [Buffer.from(key, 'base64')] as const;
    const headers = {
      ...published.headers,
      'Signature-Input': `sig-b25=${signatureParameters}`,
      Signature: `sig-b25=:${signature}:`,
    };
    const verifier = signer({}, { secrets, now: '2021-04-20T02:07:53Z' });

    it('is well signed, but covers too little', () => {
      expect(verifier.verify({ ...published, headers })).toMatchObject({
        valid: false,
        reason: 'not_allowed',
      });
    });

    it('is not well signed with another date', () => {
      const changed = { ...headers, Date: 'Tue, 20 Apr 2021 02:07:56 GMT' };
      expect(verifier.verify({ ...published, headers: changed })).toEqual({
        valid: false,
        reason: 'mismatch',
      });
    });
  },
);

interface ComponentVector {
  readonly section: string;
  readonly component: string;
  readonly request: HttpRequest;
  readonly value: string;
}

describe.each(readVectors<ComponentVector>('rfc9421-components'))(
  'RFC 9421 §$section',
  ({ component, request: published, value }) => {
    it(`has the published value of ${component}`, () => {
      const [parsed] = parseComponents([component]) ?? [];
      const { base } = signatureBase(parsed ? [parsed] : [], parseHttpRequest(published), '()');
      expect(base).toBe(`${parsed?.identifier}: ${value}\n"@signature-params": ()`);
    });
  },
);

describe('a Content-Digest', () => {
  it.each(readVectors<{ name: string; body: string; field: string }>('content-digest'))(
    'has the published value: $name',
    ({ body, field }) => {
      expect(isDigestOf(field, Buffer.from(body))).toBe(true);
      expect(isDigestOf(field, Buffer.from(`${body} `))).toBe(false);
      if (field.startsWith('sha-256')) expect(contentDigest(Buffer.from(body))).toBe(field);
    },
  );

  const [sha256 = '', sha512 = ''] = readVectors<{ field: string }>('content-digest').map(
    ({ field }) => field,
  );
  const body = Buffer.from('{"hello": "world"}');
  it.each([
    ['both algorithms', `${sha256}, ${sha512}`, true],
    ['one that is not supported beside one that is', `md5=:AAAA:, ${sha256}`, true],
    ['one that is wrong beside one that is right', `${sha256}, sha-512=:AAAA:`, false],
    ['one that is not supported alone', 'md5=:AAAA:', false],
    ['a text in place of bytes', sha256.replaceAll(':', '"'), false],
    ['the same algorithm twice', `sha-256=:AAAA:, ${sha256}`, false],
    ['nothing', '', false],
    ['no dictionary', 'sha-256', false],
  ])('with %s: %s', (_, field, isRight) => {
    expect(isDigestOf(field, body)).toBe(isRight);
  });
});

describe('signing', () => {
  it('covers method, authority, path and query, and says when, how and by which key', () => {
    expect(signer().sign(bodiless)).toEqual({
      headers: {
        'Signature-Input': `sig1=("@method" "@authority" "@path" "@query");${created};alg="hmac-sha256";keyid="${keyId(secret)}"`,
        Signature: expect.stringMatching(/^sig1=:[A-Za-z0-9+/]{43}=:$/),
      },
      keyId: keyId(secret),
    });
  });

  it('digests a body, and covers the digest', () => {
    const { headers } = signer().sign(request) as HttpSignature;
    expect(headers['Content-Digest']).toBe(digest['Content-Digest']);
    expect(headers['Signature-Input']).toContain('"@query" "content-digest");');
  });

  it('takes a body as bytes', () => {
    const bytes = {
      ...request,
      body: Buffer.from(request.body ?? '').toString('base64'),
      encoding: 'base64',
    };
    expect(signer().sign(bytes)).toEqual(signer().sign(request));
  });

  it('digests an empty body that is given', () => {
    const { headers } = signer().sign({ ...bodiless, body: '' }) as HttpSignature;
    expect(headers['Content-Digest']).toBe(contentDigest(new Uint8Array()));
  });

  it('covers a digest that the caller made of a body it does not show', () => {
    const { body, ...hidden } = withHeaders(request, digest);
    const { headers } = signer().sign(hidden) as HttpSignature;
    expect(headers).not.toHaveProperty('Content-Digest');
    expect(signer().verify({ ...withHeaders(request, { ...digest, ...headers }) })).toMatchObject({
      valid: true,
    });
    expect(body).toBeDefined();
  });

  it('writes what the configuration asks for', () => {
    const options = {
      label: 'ours',
      tag: 'orders',
      expiresSeconds: 60,
      nonce: true,
      components: ['@target-uri', '@method', 'content-type', 'content-digest', '@query-param;name="id"'],
    };
    const { headers } = signer(options).sign(request) as HttpSignature;
    expect(headers['Signature-Input']).toMatch(
      new RegExp(
        `^ours=\\("@target-uri" "@method" "content-type" "content-digest" "@query-param";name="id"\\);${created};expires=${nowSeconds + 60};nonce="[\\w-]{22}";alg="hmac-sha256";keyid="${keyId(secret)}";tag="orders"$`,
      ),
    );
    const others = signer(options).sign(request) as HttpSignature;
    expect(others.headers['Signature-Input']).not.toBe(headers['Signature-Input']);
  });

  it('digests nothing as an empty body where the configuration lists the digest', () => {
    const components = ['@method', '@target-uri', 'content-digest'];
    const { headers } = signer({ components }).sign(bodiless) as HttpSignature;
    expect(headers['Content-Digest']).toBe(contentDigest(new Uint8Array()));
    expect(signer({ components }).verify(withHeaders(bodiless, headers))).toMatchObject({ valid: true });
  });

  it('refuses a URL and headers over their bounds', () => {
    const refusal = (change: object) => refusalOf(() => signer().sign({ ...request, ...change }));
    expect(refusal({ url: `https://a.example/${'a'.repeat(16 * 1024)}` })).toBe(
      'message_too_large: field "url": has at most 16384 characters',
    );
    expect(refusal({ headers: { 'X-Long': ['a'.repeat(16 * 1024), 'b'.repeat(16 * 1024)] } })).toMatch(
      /^message_too_large: field "headers": has at most 32768 characters/,
    );
  });

  it('admits a body that it is not shown, only its digest, where any length is allowed', () => {
    const digested = { ...bodiless, headers: { 'Content-Digest': contentDigest(Buffer.from('hello')) } };
    expect(refusalOf(() => signer({}, { maxMessageBytes: 17 }).sign(digested))).toMatch(/^message_too_large/);
    expect(refusalOf(() => signer().sign(digested))).toBe('not refused');
  });

  it('admits the length of the body', () => {
    const small = signer({}, { maxMessageBytes: 17 });
    expect(refusalOf(() => small.sign(request))).toMatch(/^message_too_large/);
    expect(refusalOf(() => small.verify(sent(request)))).toMatch(/^message_too_large/);
  });

  it.each([
    ['a signature that is there already', { headers: { Signature: 'a=:AA==:' } }, 'must not have signature'],
    ['its description', { headers: { 'signature-input': 'a=()' } }, 'must not have signature'],
    ['a digest beside the body', { headers: digest }, 'must not have content-digest'],
    ['an unknown field', { signatureBase: 'x' }, 'unknown field'],
    ['a base to sign', { base: '"@method": GET' }, 'unknown field'],
    ['chosen components', { components: [] }, 'unknown field'],
    ['a body that is not in its encoding', { encoding: 'hex' }, 'must be hex'],
    ['a body with a lone surrogate', { body: '\ud800' }, 'well-formed Unicode'],
    ['headers that are a list', { headers: [] }, 'must be an object'],
    ['a header that is a number', { headers: { a: 1 } }, 'must be an object'],
    ['a list with a number', { headers: { a: ['b', 1] } }, 'must be an object'],
    ['a name that is no token', { headers: { 'a b': '1' } }, 'header names that are tokens'],
    ['a name with a line end', { headers: { 'a\r\nb': '1' } }, 'header names that are tokens'],
    ['one name in two cases', { headers: { Accept: '1', accept: '2' } }, 'each name once'],
    ['a method in lower case', { method: 'post' }, 'upper case'],
    ['a method with a line end', { method: 'POST\n"@path": /' }, 'upper case'],
  ])('refuses %s', (_, change, message) => {
    const refusal = refusalOf(() => signer().sign({ ...request, ...change }));
    expect(refusal).toMatch(/^malformed_request: /);
    expect(refusal).toContain(message);
  });

  it.each([
    ['absent', {}],
    ['with a line of its own', { 'X-Covered': 'a\n"@path": /admin' }],
    ['with a carriage return', { 'X-Covered': 'a\rb' }],
    ['with a line end that is no folding', { 'X-Covered': 'a\r\nb' }],
    ['that ends with a line', { 'X-Covered': 'a\r\n' }],
    ['not in ASCII', { 'X-Covered': 'caf\u00e9' }],
    ['with NUL', { 'X-Covered': 'a\0' }],
    ['with a separator that JavaScript trims', { 'X-Covered': '\u00a0a' }],
    ['with one bad value of several', { 'X-Covered': ['a', 'b\nc'] }],
    ['without values', { 'X-Covered': [] }],
  ])('refuses a covered header that is %s', (_, headers) => {
    const covering = signer({ components: ['@method', '@target-uri', 'x-covered'] });
    const refusal = refusalOf(() => covering.sign({ ...bodiless, headers }));
    expect(refusal).toContain('malformed_request: field "headers": must have "x-covered" once and in ASCII');
  });

  it('does not mind what a header holds that it does not cover', () => {
    expect(refusalOf(() => signer().sign({ ...bodiless, headers: { 'X-Name': 'caf\u00e9' } }))).toBe(
      'not refused',
    );
  });

  it.each([
    ['absent', 'https://example.com/'],
    ['twice', 'https://example.com/?id=1&id=2'],
    ['not UTF-8', 'https://example.com/?id=%ff'],
  ])('refuses a covered query parameter that is %s', (_, url) => {
    const covering = signer({ components: ['@method', '@target-uri', '@query-param;name="id"'] });
    const refusal = refusalOf(() => covering.sign({ ...bodiless, url }));
    expect(refusal).toContain('malformed_request: field "url": must have "@query-param";name="id" once');
  });
});

describe('a URL', () => {
  it.each([
    ['relative', '/path', 'absolute'],
    ['of another scheme', 'ftp://example.com/', 'absolute'],
    ['without a host', 'https:///path', 'absolute'],
    ['with an empty host and a port', 'https://:443/', 'host'],
    ['with a user name', 'https://user@example.com/', 'user name'],
    ['with an at sign in disguise', 'https://example.com%40evil.example/', 'host'],
    ['with a fragment', 'https://example.com/#a', 'fragment'],
    ['with a fragment behind a query', 'https://example.com/?a=1#b', 'fragment'],
    ['with a backslash', 'https://example.com\\@evil.example/', 'fragment'],
    ['with a line end', 'https://example.com/\r\n"@method": GET', 'printable ASCII'],
    ['with a line end that a parser would drop', 'https://example.com/a\nb', 'printable ASCII'],
    ['with a tab', 'https://example.com/\ta', 'printable ASCII'],
    ['with a space', 'https://example.com/a b', 'printable ASCII'],
    ['with a space around it', ' https://example.com/', 'printable ASCII'],
    ['with NUL', 'https://example.com/\0', 'printable ASCII'],
    ['not in ASCII', 'https://example.com/caf\u00e9', 'printable ASCII'],
    ['with a host that is not in ASCII', 'https://ex\u00e4mple.com/', 'printable ASCII'],
    ['with a full-width host', 'https://\uff45xample.com/', 'printable ASCII'],
    ['with a host that is percent-encoded', 'https://%65xample.com/', 'host'],
    ['with an address in disguise', 'https://2130706433/', 'host'],
    ['with another address in disguise', 'https://0x7f.1/', 'host'],
    ['with an IPv6 address that is not in its usual form', 'https://[0:0::1]/', 'host'],
    ['with a port that is none', 'https://example.com:65536/', 'host'],
    ['with a port that is no number', 'https://example.com:http/', 'host'],
    ['with a percent sign alone', 'https://example.com/100%', 'hexadecimal'],
    ['with an escape that is none', 'https://example.com/?a=%zz', 'hexadecimal'],
    ['with dot segments', 'https://example.com/a/../b', 'dot segments'],
    ['with dots at the end', 'https://example.com/a/..', 'dot segments'],
    ['with dots that are percent-encoded', 'https://example.com/a/%2e%2E/b', 'dot segments'],
    ['with dots behind an encoded slash', 'https://example.com/a%2f..%2fb', 'dot segments'],
    ['with dots before an encoded slash', 'https://example.com/a/..%2Fb', 'dot segments'],
    ['with dots beside an encoded backslash', 'https://example.com/a%5c..%5cb', 'dot segments'],
    ['with a character that is percent-encoded on the way', 'https://example.com/{a}', 'dot segments'],
    ['that is empty', '', 'absolute'],
  ])('%s is refused', (_, url, what) => {
    const refusal = refusalOf(() => signer().sign({ ...bodiless, url }));
    expect(refusal).toMatch(/^malformed_request: field "url": must /);
    expect(refusal).toContain(what);
    expect(url.length > 3 && refusal.includes(url)).toBe(false);
    expect(refusalOf(() => signer().verify({ ...bodiless, url }))).toBe(refusal);
  });

  it.each([
    ['HTTPS://EXAMPLE.com:443', 'https://example.com/'],
    ['http://example.com:80/a', 'http://example.com/a'],
    ['https://example.com:8443/a?', 'https://example.com:8443/a?'],
    ['https://example.com?a=1', 'https://example.com/?a=1'],
    ['https://[::1]:8443/', 'https://[::1]:8443/'],
    ['https://192.0.2.1/', 'https://192.0.2.1/'],
    ['https://example.com//a/%2Fb;c=d', 'https://example.com//a/%2Fb;c=d'],
    [
      "https://example.com/a?filter[x]='y'&u=https://a/?b",
      "https://example.com/a?filter[x]='y'&u=https://a/?b",
    ],
  ])('%s is %s', (url, targetUri) => {
    const { base } = signatureBase(
      parseComponents(['@target-uri']) ?? [],
      parseHttpRequest({ ...bodiless, url }),
      '()',
    );
    expect(base).toBe(`"@target-uri": ${targetUri}\n"@signature-params": ()`);
  });
});

describe('verification', () => {
  const valid = { valid: true, keyId: keyId(secret), primary: true };

  it('accepts what was signed', () => {
    expect(signer().verify(sent(request))).toEqual(valid);
    expect(signer().verify(sent(bodiless))).toEqual(valid);
  });

  it('gives back the nonce', () => {
    const nonce = { nonce: expect.stringMatching(/^[\w-]{22}$/) };
    expect(signer().verify(sent(request, { nonce: true }))).toEqual({ ...valid, ...nonce });
  });

  const original = sent(request, {});
  const input = String(original.headers['Signature-Input']);
  const signature = String(original.headers['Signature']);
  const tag = Buffer.from(signature.slice(6, -1), 'base64');
  const change = (headers: Sent['headers']) => withHeaders(original, headers);

  /** With another description of what is signed, or with another tag. */
  const described = (text: string) => change({ 'Signature-Input': text });
  const rewritten = (what: string | RegExp, by: string) => described(input.replace(what, by));
  const tagged = (text: string) => change({ Signature: text });
  const inBase64 = (bytes: Uint8Array) => tagged(`sig1=:${Buffer.from(bytes).toString('base64')}:`);
  const list = (length: number, item: (index: number) => string) => Array.from({ length }, (_, i) => item(i));

  const refused: Readonly<
    Record<'mismatch' | 'missing' | 'malformed' | 'unsupported' | 'not_allowed', Record<string, Sent>>
  > = {
    mismatch: {
      'another method': { ...original, method: 'PUT' },
      'another host': { ...original, url: 'https://example.org/orders?id=7' },
      'another port': { ...original, url: 'https://example.com:8443/orders?id=7' },
      'another path': { ...original, url: 'https://example.com/Orders?id=7' },
      'another query': { ...original, url: 'https://example.com/orders?id=8' },
      'no query': { ...original, url: 'https://example.com/orders' },
      'another body': { ...original, body: '{"hello": "World"}' },
      'an empty body': { ...original, body: '' },
      'another digest': change({ 'Content-Digest': contentDigest(Buffer.from('x')) }),
      'no digest': change({ 'Content-Digest': [] }),
      'a digest too many': change({ 'Content-Digest': [digest['Content-Digest'], 'md5=:AAAA:'] }),
      'another time': rewritten(created, `created=${nowSeconds - 1}`),
      'another key id': rewritten(/keyid="./, 'keyid="_'),
      'fewer components': rewritten(' "content-digest"', ''),
      'components in another order': rewritten('"@method" "@authority"', '"@authority" "@method"'),
      'parameters in another order': rewritten(/(;created=\d+)(;alg="[^"]+")/, '$2$1'),
      'a parameter too many': described(`${input};extra=1`),
      'the tag of something else': inBase64(randomBytes(32)),
      'an empty tag': tagged('sig1=::'),
      'a tag that is cut off': inBase64(tag.subarray(0, 16)),
      'a tag that goes on': inBase64(Buffer.concat([tag, tag])),
    },
    missing: {
      'no signature': change({ Signature: [], 'Signature-Input': [] }),
      'no tag': change({ Signature: [] }),
      'no description': change({ 'Signature-Input': [] }),
    },
    malformed: {
      'another label': tagged(signature.replace('sig1', 'sig2')),
      'a tag that is a string': tagged('sig1="x"'),
      'a tag that is a list': tagged('sig1=(:AA==:)'),
      'unused bits in the tag': tagged(`sig1=:${tag.toString('base64').slice(0, -2)}${nextDigit(tag)}=:`),
      'a tag without padding': tagged(signature.replace('=:', ':')),
      'a label twice': tagged(`sig1=:AAAA:, ${signature}`),
      'a description twice': described(`sig1=();created=1, ${input}`),
      'a parameter twice': rewritten(';alg', ';created=1;alg'),
      'white space before a semicolon': rewritten(';alg', ' ;alg'),
      'white space around an equals sign': rewritten('alg=', 'alg= '),
      'no white space between components': rewritten('"@method" ', '"@method"'),
      'a tab between components': rewritten('"@method" ', '"@method"\t'),
      'a tab behind a semicolon': rewritten(';alg', ';\talg'),
      'a comma at the end': described(`${input},`),
      'a parameter in upper case': rewritten('created', 'Created'),
      'a number that is written with a zero': rewritten(/created=(\d+)/, 'created=0$1'),
      'a component twice': rewritten('"@method"', '"@method" "@method"'),
      'a component in upper case': rewritten('"@method"', '"Content-Type"'),
      'the parameters as a component': rewritten('"@method"', '"@signature-params"'),
      'a query parameter without a name': rewritten('"@query"', '"@query-param"'),
      'a component that is a number': rewritten('"@method"', '1'),
      'no list of components': described('sig1=1'),
      'too many components': described(`sig1=(${list(33, (index) => `"x-${index}"`).join(' ')})`),
      'too many signatures': change({ 'Signature-Input': list(9, (index) => `s${index}=()`) }),
      'a time that is a string': rewritten(/created=(\d+)/, 'created="$1"'),
      'a time with a fraction': rewritten(/created=\d+/, '$&.5'),
      'a time before all times': rewritten(/created=/, '$&-'),
      'a key id that is a token': rewritten(/keyid="[^"]+"/, 'keyid=a'),
      'a description that is no dictionary': described('('),
      'a description with a line end': described(`${input}\n`),
    },
    unsupported: Object.fromEntries(
      [
        ...['"content-type";sf', '"content-type";key="a"', '"content-type";bs', '"content-type";tr'],
        ...['"content-type"; sf', '"@method";req', '"@status"', '"@status";req', '"@everything"'],
        ...['"signature"', '"signature";key="sig1"', '"@query-param";name="id";req', '"content-type";new'],
      ].map((component) => [component, rewritten('"@method"', component)]),
    ),
    not_allowed: { 'an algorithm that is not ours': rewritten('hmac-sha256', 'ed25519') },
  };

  describe.each(Object.entries(refused))('answers %s', (reason, requests) => {
    it.each(Object.entries(requests))('to %s', (_, changed) => {
      expect(signer().verify(changed)).toMatchObject({ valid: false, reason });
    });
  });

  const spread = (text: string) =>
    text.replaceAll(';', ';  ').replaceAll('(', '(  ').replaceAll(')', ' )').replaceAll('" "', '"   "');
  const kinds = 'i=-1;d=1.5;s="a; ( b ) , \\" =?1 \\\\";t=to/k:en*;b=:AQI=:;yes;no=?0;u=%"f%c3%bc  ; \\"';
  const plain = `(${enough});${created};${kinds}`;
  it.each<[string, string]>([
    ['a space behind each semicolon', plain.replaceAll(/;(?=[a-z]+[;=])/g, '; ')],
    ['spaces within the list', plain.replace('(', '( ').replace(')', '  )').replace('" "', '"   "')],
    ['a parameter that is true at length', plain.replace(';yes', ';yes=?1')],
    ['a parameter that is true, with spaces', plain.replace(';yes', ';   yes=?1')],
  ])('discards %s, and signs the serialized form', (_, written) => {
    const serialized = signedAs(withHeaders(request, digest), plain);
    expect(signer().verify(serialized)).toEqual(valid);
    const received = withHeaders(serialized, { 'signature-input': `  theirs=${written}  ` });
    expect(signer().verify(received)).toEqual(valid);
    expect(serialized.headers['signature-input']).not.toBe(received.headers['signature-input']);
  });

  it('discards white space around members of every label, tabs as well', () => {
    const ours = spread(input);
    const both = change({
      'Signature-Input': `other=( );created=1 \t,\t${ours}`,
      Signature: `other=:AAAA:; x\t , ${signature}`,
    });
    expect(signer().verify(both)).toEqual(valid);
  });

  it('does not discard white space within strings', () => {
    const theirs = signedAs(withHeaders(request, digest), `(${enough});${created};nonce="a;  b"`);
    const other = String(theirs.headers['signature-input']).replace('a;  b', 'a; b');
    expect(signer().verify(theirs)).toEqual({ ...valid, nonce: 'a;  b' });
    expect(signer().verify(withHeaders(theirs, { 'signature-input': other }))).toMatchObject({
      reason: 'mismatch',
    });
  });

  it('discards a space in a Content-Digest', () => {
    const field = `${digest['Content-Digest']}; x`;
    const theirs = signedAs(withHeaders(request, { 'content-digest': field }), `(${enough});${created}`);
    expect(signer().verify(theirs)).toEqual(valid);
  });

  it.each<[string, string, object, string]>([
    ['created', `(${enough})`, {}, 'the signature has no created'],
    ['a nonce', `(${enough});${created}`, { nonce: true }, 'the signature has no nonce'],
    ['a component', `("@method" "@authority");${created}`, {}, 'the signature does not cover "@path"'],
    [
      'the tag',
      `(${enough});${created};tag="a"`,
      { tag: 'b' },
      'no signature has alg hmac-sha256 and the configured tag',
    ],
  ])('says that %s is missing', (_, signatureParameters, options, detail) => {
    const theirs = signedAs(withHeaders(request, digest), signatureParameters);
    expect(signer(options).verify(theirs)).toEqual({ valid: false, reason: 'not_allowed', detail });
  });

  it('says what it does not support', () => {
    expect(signer().verify(rewritten('"@method"', '"content-type";sf'))).toEqual({
      valid: false,
      reason: 'unsupported',
      detail: expect.stringMatching(/sf, key, bs, tr or req/),
    });
  });

  it('notices a change of any byte of the tag', () => {
    for (const index of tag.keys()) {
      const other = Uint8Array.from(tag);
      other[index] = (other[index] ?? 0) ^ 1;
      expect(signer().verify(inBase64(other))).toEqual({ valid: false, reason: 'mismatch' });
    }
  });

  it.each<[string, Sent]>([
    ['obsolete line folding', withHeaders(original, { 'Signature-Input': input.replace('" "', '"\r\n "') })],
    ['names in lower case', { ...original, headers: lowerCased(original.headers) }],
    ['another spelling of the host', { ...original, url: 'https://EXAMPLE.com:443/orders?id=7' }],
    ['headers that are not covered', change({ Forwarded: 'for=_x', 'X-Caf': 'caf\u00e9' })],
  ])('does not mind %s', (_, changed) => {
    expect(signer().verify(changed)).toEqual(valid);
  });

  it.each([
    ['nothing', '()'],
    ['no method', '("@authority" "@path" "@query" "content-digest")'],
    ['no authority', '("@method" "@path" "@query" "content-digest")'],
    ['no path', '("@method" "@authority" "@query" "content-digest")'],
    ['no query where there is one', '("@method" "@authority" "@path" "content-digest")'],
    [
      'a single query parameter',
      '("@method" "@authority" "@path" "@query-param";name="id" "content-digest")',
    ],
    ['no digest where there is a body', '("@method" "@authority" "@path" "@query")'],
    ['the host in place of the authority', '("@method" "host" "@path" "@query" "content-digest")'],
  ])('does not accept a signature that covers %s', (_, components) => {
    const theirs = withHeaders(request, { ...digest, Host: 'example.com' });
    expect(signer().verify(signedAs(theirs, `${components};${created}`))).toMatchObject({
      valid: false,
      reason: 'not_allowed',
    });
  });

  it('does not accept a signature without a time', () => {
    const theirs = signedAs(withHeaders(request, digest), `(${enough});keyid="x"`);
    expect(signer().verify(theirs)).toMatchObject({ valid: false, reason: 'not_allowed' });
  });

  it('does not accept a signature without a nonce where the configuration wants one', () => {
    const theirs = signedAs(withHeaders(request, digest), `(${enough});${created}`);
    expect(signer({ nonce: true }).verify(theirs)).toMatchObject({ valid: false, reason: 'not_allowed' });
  });

  it('does not accept a signature without a header that the configuration lists', () => {
    const components = ['@method', '@target-uri', 'content-type'];
    const theirs = signedAs(withHeaders(request, digest), `(${enough});${created}`);
    expect(signer({ components }).verify(theirs)).toMatchObject({ valid: false, reason: 'not_allowed' });
  });

  it.each([
    ['no algorithm, and a key id of their own', `(${enough});${created};keyid="their name"`],
    ['a parameter that is not known', `(${enough});${created};x="\\"";y=?0;z=:AQI=:`],
    ['the target URI for its parts', `("@target-uri" "@method" "content-digest");${created}`],
    [
      'the request target for path and query',
      `("@request-target" "@authority" "@method" "content-digest");${created}`,
    ],
    ['more than is wanted', `(${enough} "content-type" "@scheme");${created}`],
  ])('accepts a signature with %s', (_, signatureParameters) => {
    expect(signer().verify(signedAs(withHeaders(request, digest), signatureParameters))).toEqual(valid);
  });

  it('does not want a query or a digest covered where there is none', () => {
    const theirs = signedAs(bodiless, `("@method" "@authority" "@path");${created}`);
    expect(signer().verify(theirs)).toEqual(valid);
    expect(signer().verify({ ...theirs, body: '' })).toEqual(valid);
    expect(signer().verify({ ...theirs, url: `${theirs.url}?a=1` })).toMatchObject({ reason: 'not_allowed' });
    expect(signer().verify({ ...theirs, body: 'x' })).toMatchObject({ reason: 'not_allowed' });
  });

  it('checks a digest by SHA-512 as well', () => {
    const [, { field } = { field: '' }] = readVectors<{ field: string }>('content-digest');
    const theirs = signedAs(withHeaders(request, { 'content-digest': field }), `(${enough});${created}`);
    expect(signer().verify(theirs)).toEqual(valid);
    expect(signer().verify({ ...theirs, body: 'x' })).toMatchObject({ valid: false, reason: 'mismatch' });
  });

  it('finds the valid signature among others', () => {
    const ours = sent(withHeaders(request, {}));
    const stale = signedAs(withHeaders(request, digest), `(${enough});created=1`);
    const both = withHeaders(ours, {
      'Signature-Input': [
        String(stale.headers['signature-input']),
        'proxy=("@method");created=1;alg="ed25519"',
        `sig1${String(ours.headers['Signature-Input']).slice(4)},unknown=("@status")`,
      ],
      Signature: [String(stale.headers['signature']), 'proxy=:AAAA:', String(ours.headers['Signature'])],
    });
    expect(signer().verify(both)).toEqual(valid);
  });

  it('tells of several signatures what is wrong with the one by its key', () => {
    const stale = signedAs(withHeaders(request, digest), `(${enough});created=1`);
    const several = withHeaders(stale, {
      'signature-input': [`other=(${enough});${created}`, String(stale.headers['signature-input'])],
      signature: ['other=:AAAA:', String(stale.headers['signature'])],
    });
    expect(signer().verify(several)).toEqual({ valid: false, reason: 'expired' });
  });

  it('wants the tag of the configuration', () => {
    const theirs = withHeaders(request, digest);
    const verify = (text: string) =>
      signer({ tag: 'orders' }).verify(signedAs(theirs, `(${enough});${created}${text}`));
    expect(verify(';tag="orders"')).toEqual(valid);
    expect(verify(';tag="other"')).toMatchObject({ valid: false, reason: 'not_allowed' });
    expect(verify('')).toMatchObject({ valid: false, reason: 'not_allowed' });
  });

  it.each([
    ['as old as the tolerance', 300, valid],
    ['older', 301, { valid: false, reason: 'expired' }],
    ['as far ahead as the tolerance', -300, valid],
    ['further ahead', -301, { valid: false, reason: 'not_yet_valid' }],
    ['a day old', 86_400, { valid: false, reason: 'expired' }],
    ['off by a day', -86_400, { valid: false, reason: 'not_yet_valid' }],
  ])('judges a signature that is %s', (_, ageSeconds, answer) => {
    expect(signer().verify(sent(request, {}, { now: secondsAgo(ageSeconds) }))).toEqual(answer);
  });

  it('has a tolerance for each direction', () => {
    const verifier = signer({ toleranceSeconds: 10, futureToleranceSeconds: 0 });
    const aged = (ageSeconds: number) => verifier.verify(sent(request, {}, { now: secondsAgo(ageSeconds) }));
    expect([10, 11, 0, -1].map(aged)).toMatchObject([
      { valid: true },
      { reason: 'expired' },
      { valid: true },
      { reason: 'not_yet_valid' },
    ]);
  });

  it('ends a signature when it says so, and no later than the tolerance', () => {
    const aged = (expiresSeconds: number, ageSeconds: number) =>
      signer().verify(sent(request, { expiresSeconds }, { now: secondsAgo(ageSeconds) }));
    expect(aged(60, 60)).toEqual(valid);
    expect(aged(60, 61)).toEqual({ valid: false, reason: 'expired' });
    expect(aged(3600, 301)).toEqual({ valid: false, reason: 'expired' });
  });
});

describe('rotation', () => {
  const [older, other] = [randomBytes(32), randomBytes(32)];

  it('verifies with every key, and tells which', () => {
    const answer = signer({}, { secrets: [secret, other, older] }).verify(
      sent(request, {}, { secrets: [older] }),
    );
    expect(answer).toEqual({ valid: true, keyId: keyId(older), primary: false });
  });

  it('tries every key where the key id is not one of ours', () => {
    const theirs = signedAs(withHeaders(request, digest), `(${enough});${created};keyid="x"`, 'a', older);
    const answer = signer({}, { secrets: [secret, older] }).verify(theirs);
    expect(answer).toEqual({ valid: true, keyId: keyId(older), primary: false });
  });

  it('takes a key id that is one of ours at its word', () => {
    const theirs = signedAs(
      withHeaders(request, digest),
      `(${enough});${created};keyid="${keyId(secret)}"`,
      'a',
      older,
    );
    const answer = signer({}, { secrets: [secret, older] }).verify(theirs);
    expect(answer).toEqual({ valid: false, reason: 'mismatch' });
  });
});

describe('the configuration', () => {
  const problems = (options: string) =>
    configurationProblems(`keys: { a: { format: http-signature, http-signature: ${options} } }`);

  it.each([
    ['{}'],
    ['{ components: ["@method", "@authority", "@path"] }'],
    [
      '{ components: ["@method", "@target-uri", content-type, "@query-param;name=\\"id\\"", content-digest] }',
    ],
    [
      '{ label: a, tag: "a b", toleranceSeconds: 0, futureToleranceSeconds: 0, expiresSeconds: 1, nonce: true }',
    ],
  ])('allows %s', (options) => {
    expect(problems(options)).toEqual([]);
  });

  it.each([
    ['{ components: [] }', 'components: must cover @method, @authority and @path'],
    ['{ components: ["@method", "@path"] }', 'components: must cover @method'],
    [
      '{ components: ["@method", "@target-uri", "@method"] }',
      'components: must be header names in lower case',
    ],
    [
      '{ components: ["@method", "@target-uri", Content-Type] }',
      'components: must be header names in lower case',
    ],
    [
      '{ components: ["@method", "@target-uri", "@status"] }',
      'components: must be header names in lower case',
    ],
    [
      '{ components: ["@method", "@target-uri", "@query-param"] }',
      'components: must be header names in lower case',
    ],
    ['{ components: ["@method", "@target-uri", "a;sf"] }', 'components: must be header names in lower case'],
    [
      '{ components: ["@method", "@target-uri", signature] }',
      'components: must be header names in lower case',
    ],
    [
      '{ components: ["@method", "@target-uri", "a\\" \\"b"] }',
      'components: must be header names in lower case',
    ],
    ['{ label: A }', 'label: must be a label like sig1'],
    ['{ tag: caf\u00e9 }', 'tag: must be printable ASCII'],
    ['{ toleranceSeconds: -1 }', 'toleranceSeconds: must be at least 0'],
    ['{ expiresSeconds: 0 }', 'expiresSeconds: must be at least 1'],
    ['{ nonce: yes }', 'nonce: must be a boolean'],
    ['{ algorithm: none }', 'algorithm: unknown field'],
  ])('denies %s', (options, problem) => {
    expect(problems(options).join()).toContain(`keys.a.http-signature.${problem}`);
  });

  it('denies another algorithm', () => {
    expect(
      configurationProblems('keys: { a: { format: http-signature, algorithm: HS512 } }').join(),
    ).toContain('must be one of HS256');
  });

  it('is shown with what is usual', () => {
    expect(JSON.parse(JSON.stringify(signer().format.options))).toEqual({
      components: ['@method', '@authority', '@path', '@query'],
      label: 'sig1',
      toleranceSeconds: 300,
      futureToleranceSeconds: 300,
      nonce: false,
    });
  });
});

function usable(components: ReturnType<typeof toComponents>): readonly Component[] {
  return typeof components === 'string' ? [] : components;
}

function lowerCased(headers: Sent['headers']): Sent['headers'] {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** The last digit of the tag in base64 with a bit set that stands for nothing. */
function nextDigit(tag: Buffer): string {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  return digits[digits.indexOf(tag.toString('base64').at(-2) ?? '') + 1] ?? '';
}
