/** The format `jwt`: published tokens, tokens that another hand signs with our key, and everything a reader must refuse. */

import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { JwtSignRequest, JwtVerifyRequest } from '../../src/api/messages.ts';
import { at, type Circumstances, inUse, keyOf, refusalOf } from '../support/format.ts';
import { readVectors } from '../support/vectors.ts';

interface Vector {
  readonly name: string;
  readonly key: string;
  readonly input: string;
  readonly signature: string;
  readonly exp?: number;
  readonly claims?: unknown;
}

const seconds = 1_800_000_000;
const secret = randomBytes(64);
const b64 = (value: unknown) =>
  (Buffer.isBuffer(value)
    ? value
    : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
  ).toString('base64url');
const hashes = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' } as const;
const tagOf = (input: string, key: Uint8Array = secret, algorithm: keyof typeof hashes = 'HS256') =>
  createHmac(hashes[algorithm], key).update(input).digest('base64url');
/** A token of whatever header and claims: objects, or texts that are no JSON. */
const token = (header: unknown, claims: unknown, key: Uint8Array = secret) => {
  const input = `${b64(header)}.${b64(claims)}`;
  return `${input}.${tagOf(input, key)}`;
};
const claims = { sub: 'user-1', exp: seconds + 60 };
const hs256 = { alg: 'HS256' };
const signer = (options: object = {}, circumstances: Circumstances = {}) =>
  inUse('jwt', options, { secrets: [secret], now: at(seconds), ...circumstances });
const reasonOf = (jwt: string, options: object = {}, circumstances: Circumstances = {}) => {
  const answer = signer(options, circumstances).verify({ token: jwt });
  return answer.valid ? 'valid' : answer.reason;
};
const parts = (jwt: string) =>
  jwt
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));

describe.each(readVectors<Vector>('rfc7515'))(
  'RFC 7515 $name',
  ({ key, input, signature, exp = 0, claims }) => {
    const secrets = [Buffer.from(key, 'base64url')] as const;
    const published = { secrets, now: at(exp - 1) };

    it('is verified', () => {
      expect(inUse('jwt', {}, published).verify({ token: `${input}.${signature}` })).toMatchObject({
        valid: true,
        claims,
      });
      expect(reasonOf(`${input}.${signature}`, { issuer: 'joe' }, published)).toBe('valid');
    });

    it('is refused once it has expired, and for another issuer', () => {
      expect(reasonOf(`${input}.${signature}`, {}, { ...published, now: at(exp) })).toBe('expired');
      expect(reasonOf(`${input}.${signature}`, { issuer: 'jane' }, published)).toBe('not_allowed');
    });
  },
);

describe.each(readVectors<Vector>('rfc7520'))('RFC 7520 $name', ({ key, input, signature }) => {
  const published = { secrets: [Buffer.from(key, 'base64url')] as const };

  it('is well signed, but no token, since its payload is not a set of claims', () => {
    expect(reasonOf(`${input}.${signature}`, {}, published)).toBe('malformed');
    expect(reasonOf(`${input}.${signature.replace(/^./, 'A')}`, {}, published)).toBe('mismatch');
  });
});

describe('a token that is signed', () => {
  it.each(['HS256', 'HS384', 'HS512'] as const)('is one of %s as another hand writes it', (algorithm) => {
    const jwt = signer({}, { algorithm, keys: [keyOf(algorithm, secret)] });
    const answer = jwt.sign({ claims: { sub: 'user-1', roles: ['admin'], nested: { a: null } } });
    const keyId = jwt.use.keys[0].id;
    const header = { alg: algorithm, typ: 'JWT', kid: keyId };
    const [input = '', tag] = answer.token.split(/\.(?=[^.]*$)/);
    expect(tag).toBe(tagOf(input, secret, algorithm));
    expect(parts(answer.token)).toEqual([
      header,
      { sub: 'user-1', roles: ['admin'], nested: { a: null }, iat: seconds, exp: seconds + 3600 },
    ]);
    expect(answer).toEqual({ token: answer.token, keyId, expiresAt: at(seconds + 3600) });
    expect(jwt.verify({ token: answer.token })).toEqual({
      valid: true,
      keyId,
      primary: true,
      claims: parts(answer.token)[1],
    });
  });

  it('has the type, issuer, audience and fixed claims of its key set', () => {
    const options = {
      issuer: 'https://shop.example',
      audience: ['api', 'web'],
      fixedClaims: { tenant: 7, scope: ['a'] },
      type: 'at+jwt',
    };
    const { token } = signer(options).sign({ claims: {} });
    expect(parts(token)).toEqual([
      { alg: 'HS256', typ: 'at+jwt', kid: signer().use.keys[0].id },
      {
        iss: 'https://shop.example',
        aud: ['api', 'web'],
        tenant: 7,
        scope: ['a'],
        iat: seconds,
        exp: seconds + 3600,
      },
    ]);
    expect(reasonOf(token, options)).toBe('valid');
  });

  it('ends when it is told to, within the cap', () => {
    const jwt = signer({ maxLifetimeSeconds: 900 });
    expect(jwt.sign({ claims: {} }).expiresAt).toBe(at(seconds + 900));
    expect(jwt.sign({ claims: {}, lifetimeSeconds: 1 }).expiresAt).toBe(at(seconds + 1));
    expect(refusalOf(() => jwt.sign({ claims: {}, lifetimeSeconds: 901 }))).toBe(
      'unprocessable: field "lifetimeSeconds": must be at most 900 (maxLifetimeSeconds)',
    );
  });

  it('carries the kid as it is, quotes and backslashes too', () => {
    const key = { ...keyOf('HS256', secret), id: 'a"b\\c' };
    const { token, keyId } = signer({}, { keys: [key] }).sign({ claims: {} });
    expect([parts(token)[0].kid, keyId]).toEqual([key.id, key.id]);
  });

  it('is counted by the size of what is signed', () => {
    expect(refusalOf(() => signer({}, { maxMessageBytes: 50 }).sign({ claims: {} }))).toContain(
      'message_too_large',
    );
    const long = { text: 'x'.repeat(16 * 1024) };
    expect(refusalOf(() => signer().sign({ claims: long }))).toContain('message_too_large');
  });
});

describe('a request to sign', () => {
  it.each<[string, unknown]>([
    ['no claims', {}],
    ['claims that are a list', { claims: [] }],
    ['claims that are a string', { claims: 'sub' }],
    ['a lifetime of zero', { claims: {}, lifetimeSeconds: 0 }],
    ['a lifetime with a fraction', { claims: {}, lifetimeSeconds: 1.5 }],
    ['a lifetime as text', { claims: {}, lifetimeSeconds: '60' }],
    ['an infinite lifetime', { claims: {}, lifetimeSeconds: Number.POSITIVE_INFINITY }],
    ['a header', { claims: {}, header: { alg: 'none' } }],
    ['an algorithm', { claims: {}, alg: 'none' }],
    ['a payload', { payload: 'e30' }],
    ['a member __proto__', JSON.parse('{"claims":{},"__proto__":{}}')],
  ])('with %s is malformed', (_, request) => {
    expect(refusalOf(() => signer().sign(request as JwtSignRequest))).toMatch(/^malformed_request: /);
  });

  it.each([1e9, 1e15, Number.MAX_SAFE_INTEGER])('for a lifetime of %d seconds is refused', (lifetime) => {
    expect(refusalOf(() => signer().sign({ claims: {}, lifetimeSeconds: lifetime }))).toContain(
      'must be at most 3600',
    );
  });
});

describe('a token of another hand', () => {
  it.each<[string, unknown]>([
    ['with nothing but the algorithm', hs256],
    ['with a type in another case', { ...hs256, typ: 'jwt' }],
    ['with its type in full', { ...hs256, typ: 'application/JWT' }],
    [
      'with members that mean nothing to us',
      { ...hs256, jku: 'https://evil.example', jwk: { kty: 'oct', k: 'AAAA' }, x5u: 'x', zip: 'DEF' },
    ],
    ['with a key id of its own', { ...hs256, kid: 'theirs' }],
    ['with line breaks', '{"alg":\r\n "HS256"}'],
  ])('is accepted %s', (_, header) => {
    expect(signer().verify({ token: token(header, claims) })).toMatchObject({ valid: true, claims });
  });

  it.each<[string, unknown]>([
    ['no algorithm', { typ: 'JWT' }],
    ['the algorithm none', { alg: 'none' }],
    ['the algorithm NONE', { alg: 'NONE' }],
    ['an algorithm in another case', { alg: 'hs256' }],
    ['a list of algorithms', { alg: ['HS256'] }],
    ['an algorithm of another kind', { alg: 'RS256' }],
    ['an algorithm that every object has', { alg: 'constructor' }],
    ['crit', { ...hs256, crit: ['exp'], exp: 1 }],
    ['an empty crit', { ...hs256, crit: [] }],
    ['an unencoded payload', { ...hs256, b64: false, crit: ['b64'] }],
    ['b64 alone', { ...hs256, b64: true }],
    ['a kid that is a number', { ...hs256, kid: 1 }],
    ['a typ that is a list', { ...hs256, typ: ['JWT'] }],
    ['the algorithm twice', '{"alg":"none","alg":"HS256"}'],
    ['the algorithm twice, in two spellings', '{"\\u0061lg":"none","alg":"HS256"}'],
    ['data behind it', '{"alg":"HS256"}{}'],
    ['a list', [hs256]],
    ['null', null],
    ['text', 'HS256'],
    ['no bytes', ''],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['a byte order mark', '\ufeff{"alg":"HS256"}'],
    ['four kilobytes and more', { ...hs256, x: 'x'.repeat(4096) }],
  ])('is malformed when its header has, or is, %s', (_, header) => {
    expect(reasonOf(token(header, claims))).toBe('malformed');
  });

  it('is refused under an algorithm that is not the key’s', () => {
    const input = (algorithm: string) => `${b64({ alg: algorithm })}.${b64(claims)}`;
    const other = `${input('HS512')}.${tagOf(input('HS512'), secret, 'HS512')}`;
    expect(reasonOf(other)).toBe('mismatch');
    expect(reasonOf(other, {}, { keys: [keyOf('HS512', secret)] })).toBe('valid');
    // The tag of one algorithm under the name of another.
    expect(reasonOf(`${input('HS256')}.${tagOf(input('HS256'), secret, 'HS512')}`)).toBe('malformed');
  });

  it.each<[string, (jwt: string) => string]>([
    ['a fourth segment', (jwt) => `${jwt}.e30`],
    ['two segments', (jwt) => jwt.split('.').slice(0, 2).join('.')],
    ['no signature', (jwt) => `${jwt.split('.').slice(0, 2).join('.')}.`],
    ['an empty first segment', (jwt) => jwt.replace(/^[^.]*/, '')],
    ['a space before', (jwt) => ` ${jwt}`],
    ['a newline behind', (jwt) => `${jwt}\n`],
    ['a payload that is not base64url, whose signature is wrong then', (jwt) => jwt.replace('.', '.*')],
    ['the word Bearer', (jwt) => `Bearer ${jwt}`],
    ['padding', (jwt) => `${jwt}=`],
    ['padding within', (jwt) => jwt.replace('.', '=.')],
    [
      'base64 in place of base64url',
      (jwt) => jwt.replaceAll('-', '+').replaceAll('_', '/').replace(/.$/, '+'),
    ],
    ['a short signature', (jwt) => jwt.slice(0, -2)],
    ['a long signature', (jwt) => `${jwt}AAAA`],
    ['unused bits in its signature', (jwt) => jwt.slice(0, -1) + nextDigit(jwt.at(-1))],
    ['NUL', (jwt) => `${jwt}\0`],
  ])('is malformed with %s', (_, change) => {
    expect(reasonOf(change(token(hs256, claims)))).toBe('malformed');
  });

  it('is malformed when a segment is not strict base64url, even where the MAC over it is right', () => {
    // 16 bytes: 22 digits, of which the last has four unused bits.
    const header = b64('{"alg": "HS256"}');
    expect(reasonOf(token('{"alg": "HS256"}', claims))).toBe('valid');
    for (const bad of [`${header}=`, `${header} `, header.slice(0, -1) + nextDigit(header.at(-1))]) {
      const input = `${bad}.${b64(claims)}`;
      expect(reasonOf(`${input}.${tagOf(input)}`)).toBe('malformed');
    }
  });

  it('is a mismatch with any bit of its signature flipped, and for another key', () => {
    const jwt = token(hs256, claims);
    const input = jwt.slice(0, jwt.lastIndexOf('.'));
    for (let bit = 0; bit < 256; bit++) {
      const tag = Buffer.from(tagOf(input), 'base64url');
      tag.writeUInt8(tag.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(reasonOf(`${input}.${tag.toString('base64url')}`)).toBe('mismatch');
    }
    expect(reasonOf(token(hs256, claims, randomBytes(64)))).toBe('mismatch');
  });

  it.each<[string, unknown]>([
    ['text', 'not claims'],
    ['no bytes', ''],
    ['bytes that are not UTF-8', Buffer.from(JSON.stringify({ ...claims, sub: '\xff' }), 'latin1')],
    ['a byte order mark', `\ufeff${JSON.stringify(claims)}`],
    ['a list', [claims]],
    ['null', null],
    ['a claim twice', `{"exp":${claims.exp},"sub":"a","sub":"admin"}`],
    ['data behind them', `${JSON.stringify(claims)} x`],
    ['a number that JSON changes', `{"exp":${claims.exp},"id":9007199254740993}`],
    ['an infinite exp', '{"exp":1e400}'],
    ['an exp as text', { exp: `${claims.exp}` }],
    ['an nbf as text', { ...claims, nbf: '1' }],
    ['a sub that is a number', { ...claims, sub: 1 }],
    ['an aud with a number in it', { ...claims, aud: ['a', 1] }],
    ['a lone surrogate', `{"exp":${claims.exp},"sub":"\\ud800"}`],
    ['a lone surrogate in a name', `{"exp":${claims.exp},"\\ud800":1}`],
    ['a member __proto__', `{"exp":${claims.exp},"__proto__":{}}`],
    ['a depth of 10,000', `{"exp":${claims.exp},"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`],
  ])('is malformed when its claims are, or have, %s', (_, payload) => {
    expect(reasonOf(token(hs256, payload))).toBe('malformed');
  });

  it.each<[string, string]>([
    ['sub', JSON.stringify({ ...claims, sub: 1 })],
    ['exp', JSON.stringify({ exp: `${claims.exp}` })],
    ['nbf', JSON.stringify({ ...claims, nbf: '1' })],
    ['iat', JSON.stringify({ ...claims, iat: true })],
    ['aud', JSON.stringify({ ...claims, aud: ['a', 1] })],
    ['iss', JSON.stringify({ ...claims, iss: 7 })],
    ['jti', JSON.stringify({ ...claims, jti: null })],
  ])('says that %s has the wrong type', (name, payload) => {
    expect(signer().verify({ token: token(hs256, payload) })).toEqual({
      valid: false,
      reason: 'malformed',
      detail: expect.stringContaining(`the claims: ${name} must be `),
    });
  });

  it('may have an integer as sub where the key set admits it', () => {
    const options = { allowNumericSubject: true };
    const numeric = { ...claims, sub: 42 };
    expect(signer(options).verify({ token: token(hs256, numeric) })).toMatchObject({ claims: numeric });
    expect(reasonOf(signer(options).sign({ claims: { sub: 42 } }).token, options)).toBe('valid');
    expect(reasonOf(token(hs256, claims), options)).toBe('valid');
    for (const sub of ['4.2', '9007199254740992', '9007199254740993', 'true', 'null', '{}', '[42]']) {
      const payload = `{"exp":${claims.exp},"sub":${sub}}`;
      expect(reasonOf(token(hs256, payload), options), sub).toBe('malformed');
    }
  });

  it.each<[string, object, object]>([
    ['exp', { sub: 'a' }, {}],
    ['iss', claims, { issuer: 'me' }],
    ['aud', claims, { audience: 'api' }],
    ['role', { ...claims, role: null }, { requiredClaims: ['role'] }],
    ['role', claims, { fixedClaims: { role: 'user' } }],
  ])('says that %s is what the policy does not accept', (name, payload, options) => {
    expect(signer(options).verify({ token: token(hs256, payload) })).toEqual({
      valid: false,
      reason: 'not_allowed',
      detail: expect.stringContaining(name),
    });
  });

  it('has its claims read only once its signature is verified', () => {
    const foreign = randomBytes(64);
    for (const payload of ['not claims', {}, { exp: 1 }, { exp: 'x' }, { ...claims, iss: 'other' }]) {
      expect(reasonOf(token(hs256, payload, foreign), { issuer: 'me' })).toBe('mismatch');
    }
  });
});

describe('the type of a token', () => {
  it.each([
    [{}, undefined, 'valid'],
    [{}, 'JWT', 'valid'],
    [{}, 'at+jwt', 'not_allowed'],
    [{}, 'jwapplication/t', 'not_allowed'],
    [{ type: 'at+jwt' }, 'at+jwt', 'valid'],
    [{ type: 'at+jwt' }, 'AT+JWT', 'valid'],
    [{ type: 'at+jwt' }, 'application/at+jwt', 'valid'],
    [{ type: 'at+jwt' }, 'JWT', 'not_allowed'],
    [{ type: 'at+jwt' }, undefined, 'not_allowed'],
    [{ type: 'at+jwt' }, 'application/application/at+jwt', 'not_allowed'],
  ])('with %j makes typ %s %s', (options, typ, expected) => {
    expect(reasonOf(token({ ...hs256, ...(typ !== undefined && { typ }) }, claims), options)).toBe(expected);
  });
});

describe('the key of a token', () => {
  const secrets = [randomBytes(64), secret, randomBytes(64)] as const;
  const keys = inUse('jwt', {}, { secrets }).use.keys;

  it('is the one that kid names, or any when it names none', () => {
    const [first, second] = keys;
    const answerOf = (kid: string | undefined) =>
      signer({}, { secrets }).verify({
        token: token({ ...hs256, ...(kid !== undefined && { kid }) }, claims),
      });
    const bySecond = { valid: true, keyId: second?.id, primary: false, claims };
    expect(answerOf(second?.id)).toEqual(bySecond);
    expect(answerOf(undefined)).toEqual(bySecond);
    expect(answerOf('unknown')).toEqual(bySecond);
    expect(answerOf(first.id)).toEqual({ valid: false, reason: 'mismatch' });
  });

  it('is the primary for every token that is signed', () => {
    const several = signer({}, { secrets });
    for (let index = 0; index < 3; index++) {
      const { token, keyId } = several.sign({ claims: {} });
      const input = token.slice(0, token.lastIndexOf('.'));
      expect([parts(token)[0].kid, keyId]).toEqual([keys[0].id, keys[0].id]);
      expect(token).toBe(`${input}.${tagOf(input, secrets[0])}`);
    }
  });

  it('may have another algorithm than the other keys of the set', () => {
    const mixed = [keyOf('HS512', secrets[0]), keyOf('HS256', secret)] as const;
    expect(signer({}, { keys: mixed }).verify({ token: token(hs256, claims) })).toMatchObject({
      valid: true,
      primary: false,
    });
  });
});

it.each<[string, unknown]>([
  ['no token', {}],
  ['a token that is an object', { token: {} }],
  ['an unknown field', { token: 'a.b.c', alg: 'none' }],
])('refuses to verify a request with %s', (_, request) => {
  expect(refusalOf(() => signer().verify(request as JwtVerifyRequest))).toMatch(/^malformed_request: /);
});

it('refuses to verify a token over the limit', () => {
  expect(refusalOf(() => signer({}, { maxMessageBytes: 4 }).verify({ token: 'a.b.c' }))).toContain(
    'message_too_large',
  );
});

it('takes keys of the length of the tag and longer, as RFC 7518 §3.2 demands', () => {
  const { format } = signer();
  expect(format.algorithms.map((each) => format.minKeyBytes?.(each))).toEqual([32, 48, 64]);
  expect(format.startSigning).toBeUndefined();
});

/** The digit that stands for one bit more, which a lenient reader takes for the same bytes. */
function nextDigit(digit = ''): string {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return digits[digits.indexOf(digit) + 1] ?? '';
}
