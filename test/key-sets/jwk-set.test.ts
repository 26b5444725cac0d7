import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { maxJwks, parseJwkSet } from '../../src/key-sets/jwk-set.ts';

const k = () => randomBytes(32).toString('base64url');
const key = (kid: string, members: object = {}) => ({ kty: 'oct', kid, k: k(), ...members });
const set = (primary: unknown, ...keys: readonly unknown[]) => ({ primary, keys });

const parse = (json: unknown) =>
  parseJwkSet(Buffer.from(typeof json === 'string' ? json : JSON.stringify(json)));
const problems = (json: unknown) => {
  const parsed = parse(json);
  return parsed.ok ? [] : parsed.problems;
};
const ids = (json: unknown) => {
  const parsed = parse(json);
  return parsed.ok ? parsed.value.keys.map(({ id }) => id) : parsed.problems;
};

describe('a set of keys', () => {
  it('puts the primary first and leaves the others in order', () => {
    expect(ids(set('b', key('a'), key('b'), key('c')))).toEqual(['b', 'a', 'c']);
  });

  it('leaves out keys that are disabled', () => {
    const keys = [key('a', { disabled: true }), key('b', { disabled: false }), key('c', { disabled: true })];
    expect(ids(set('b', ...keys))).toEqual(['b']);
  });

  it('gives each key its bytes and its algorithm, if it says one', () => {
    const bytes = randomBytes(48);
    const json = set('a', key('a', { k: bytes.toString('base64url'), alg: 'HS384' }), key('b'));
    expect(parse(json)).toMatchObject({
      value: {
        keys: [
          { id: 'a', place: 'keys.0', bytes: new Uint8Array(bytes), algorithm: 'HS384' },
          { id: 'b', place: 'keys.1', algorithm: undefined },
        ],
        warnings: [],
      },
    });
  });

  it.each([
    ['alg HMAC-SHA3-512', { alg: 'HMAC-SHA3-512' }],
    ['use sig', { use: 'sig' }],
    ['key_ops for both', { key_ops: ['verify', 'sign'] }],
    ['ext, as a browser exports it', { ext: true }],
    ['the longest kid', { kid: 'k'.repeat(128) }],
    ['a kid of any printable characters', { kid: '!"#/\\~<script>' }],
  ])('accepts %s', (_, members) => {
    const one = key('a', members);
    expect(ids(set(one.kid, one))).toEqual([one.kid]);
  });

  it('accepts key_ops without sign for a key that only verifies', () => {
    expect(ids(set('a', key('a'), key('b', { key_ops: ['verify'] })))).toEqual(['a', 'b']);
  });

  it(`accepts ${maxJwks} keys`, () => {
    const keys = Array.from({ length: maxJwks }, (_, index) => key(`${index}`));
    expect(ids(set('7', ...keys))).toHaveLength(maxJwks);
  });

  it('accepts white space and a newline around the JSON', () => {
    expect(ids(`\r\n\t${JSON.stringify(set('a', key('a')), null, '\t')}\n\n`)).toEqual(['a']);
  });
});

/** A set of one key with these members. */
const one = (members: object) => set('a', key('a', members));
const primary = 'primary: must be the kid of a key in the set that is not disabled';

describe('refuses', () => {
  it.each<[string, unknown, readonly string[]]>([
    ['a set without a primary', { keys: [key('a')] }, ['primary: must be a string']],
    ['a primary that is not there', set('x', key('a')), [primary]],
    ['a primary that differs in case', set('A', key('a')), [primary]],
    ['a primary that is disabled', set('a', key('a', { disabled: true }), key('b')), [primary]],
    ['only disabled keys', one({ disabled: true }), [primary]],
    ['a primary that is a number', set(1, key('1')), ['primary: must be a string']],
    ['no keys', set('a'), ['keys: must have at least 1 element']],
    ['a set without keys', { primary: 'a' }, ['keys: must be a list']],
    ['a single JWK', key('a'), ['keys: must be a list', 'primary: must be a string']],
    ['an array', [key('a')], ['as a JWK set: must be an object']],
    ['null', 'null', ['as a JWK set: must be an object']],
    ['a kid twice', set('a', key('a'), key('b'), key('a')), ['keys.2.kid: is the id of an earlier key too']],
    [
      'a kid twice where one is disabled',
      set('a', key('a'), key('a', { disabled: true })),
      ['keys.1.kid: is the id of an earlier key too'],
    ],
    ['a key without kid', set('a', key('a'), { kty: 'oct', k: k() }), ['keys.1.kid: must be a string']],
    ['an empty kid', set('', key('')), ['keys.0.kid: must be 1 to 128 printable ASCII']],
    ['a kid with a space', set('a b', key('a b')), ['keys.0.kid: must be 1 to 128 printable ASCII']],
    ['a kid with a newline', set('a\n', key('a\n')), ['keys.0.kid: must be 1 to 128 printable ASCII']],
    ['a kid that is too long', set('a', key('a'.repeat(129))), ['keys.0.kid: must be 1 to 128']],
    ['a key without k', set('a', { kty: 'oct', kid: 'a' }), ['keys.0.k: must be a string']],
    ['k with padding', one({ k: 'AA==' }), ['keys.0.k: is not base64url']],
    ['k in the standard alphabet', one({ k: '+/+/' }), ['keys.0.k: is not base64url']],
    ['k with a newline', one({ k: 'AAAA\n' }), ['keys.0.k: is not base64url']],
    ['k with unused bits', one({ k: 'AB' }), ['keys.0.k: is not base64url']],
    [
      'k of a disabled key that is broken',
      set('a', key('a'), key('b', { k: '!', disabled: true })),
      ['keys.1.k: is not base64url'],
    ],
    [
      'only an RSA key',
      set('a', { kty: 'RSA', kid: 'a', n: 'AQAB', e: 'AQAB' }),
      ['keys: none has the kty "oct"'],
    ],
    ['a kty in capitals', one({ kty: 'OCT' }), ['keys.0.kty: must be oct']],
    ['a misspelt kty', one({ kty: 'otc' }), ['keys.0.kty: must be oct']],
    ['a key without kty', set('a', { kid: 'a', k: k() }), ['keys.0.kty: must be oct']],
    ['a primary that is an RSA key', set('r', key('a'), { kty: 'RSA', kid: 'r' }), [primary]],
    ['Kid beside kid', one({ Kid: 'b' }), ['keys.0: has a member that is not "kid" but nearly']],
    [
      'K in place of k',
      set('a', { kty: 'oct', kid: 'a', K: k() }),
      ['keys.0.k: must be a string', 'not "k"'],
    ],
    ['keyOps', one({ keyOps: ['verify'] }), ['not "key_ops"']],
    ['algo', one({ algo: 'HS512' }), ['not "alg"']],
    ['agl', one({ agl: 'HS512' }), ['not "alg"']],
    [
      'primry',
      { keys: [key('a')], primry: 'a' },
      ['primary: must be a string', 'as a JWK set: has a member that is not "primary"'],
    ],
    ['Primary beside primary', { ...set('a', key('a')), Primary: 'a' }, ['not "primary"']],
    ['the algorithm none', one({ alg: 'none' }), ['keys.0.alg: must be one of HS256']],
    ['an algorithm in lower case', one({ alg: 'hs256' }), ['keys.0.alg: must be one of HS256']],
    ['an algorithm for encryption', one({ alg: 'A256GCM' }), ['keys.0.alg: must be one of']],
    ['use enc', one({ use: 'enc' }), ['keys.0.use: must be sig']],
    [
      'key_ops of another purpose',
      one({ key_ops: ['sign', 'verify', 'deriveKey'] }),
      ['keys.0.key_ops.2: must be one of sign, verify'],
    ],
    [
      'a primary that may not sign',
      one({ key_ops: ['verify'] }),
      ['keys.0.key_ops: must have sign and verify'],
    ],
    [
      'a primary that may not verify',
      one({ key_ops: ['sign'] }),
      ['keys.0.key_ops: must have sign and verify'],
    ],
    [
      'a key that may not verify',
      set('a', key('a'), key('b', { key_ops: ['sign'] })),
      ['keys.1.key_ops: must have verify'],
    ],
    ['disabled that is no boolean', one({ disabled: 'no' }), ['keys.0.disabled: must be a boolean']],
    [
      'a misspelt disabled',
      set('a', key('a'), key('b', { disbled: true })),
      ['keys.1: has a member that is not "disabled"'],
    ],
    [
      `${maxJwks + 1} keys`,
      set('0', ...Array.from({ length: maxJwks + 1 }, (_, i) => key(`${i}`))),
      [`keys: must have at most ${maxJwks} elements`],
    ],
    ['__proto__', '{"primary":"a","keys":[],"__proto__":{}}', ['keys: must have at least 1']],
  ])('%s', (_, json, expected) => {
    const found = problems(json);
    expect(found).toHaveLength(expected.length);
    for (const [index, each] of expected.entries()) expect(found[index]).toContain(each);
  });

  it('everything at once, each by its place', () => {
    const keys = [key('a', { k: '!' }), key('b', { k: 'AB' }), key('a'), key('c', { key_ops: [] })];
    expect(problems(set('x', ...keys)).map((each) => each.slice(0, each.indexOf(':')))).toEqual([
      'keys.0.k',
      'keys.1.k',
      'keys.2.kid',
      'keys.3.key_ops',
      'primary',
    ]);
  });

  it('does not say of a primary with a broken k that it is not there', () => {
    expect(problems(one({ k: '!' }))).toEqual([expect.stringContaining('keys.0.k:')]);
  });
});

describe('what others write into a set', () => {
  const warnings = (json: unknown) => {
    const parsed = parse(json);
    return parsed.ok ? parsed.value.warnings : parsed.problems;
  };

  it('is ignored, with a warning that names only members that are known to be public (RFC 7517 §4)', () => {
    const secret = k();
    const json = {
      ...set('a', key('a', { iat: 1, exp: 2, x5t: 'x', 'x5t#S256': 'y', [secret]: secret, ver: 1 })),
      created: '2026-11-24',
    };
    expect(ids(json)).toEqual(['a']);
    expect(warnings(json)).toEqual([
      'has members that are ignored (RFC 7517 §4): "created", "iat", "exp", "x5t", "x5t#S256", 2 more',
    ]);
    expect(warnings(json).join()).not.toContain(secret);
  });

  it.each(['RSA', 'EC', 'OKP', 'AKP', 'a new one'])('a key of the kty %s is ignored (RFC 7517 §5)', (kty) => {
    const json = set('a', { kty, kid: 7, d: 'private', alg: 'RS256', use: 'enc' }, key('a'));
    expect(ids(json)).toEqual(['a']);
    expect(warnings(json)).toEqual([
      'has keys that are not of the kty "oct" and are ignored (RFC 7517 §5): keys.0',
    ]);
  });

  it.each([
    ['id beside kid', { id: 'x' }],
    ['usage', { usage: 'sig' }],
    ['a __proto__ of its own', JSON.parse('{"__proto__": {"disabled": true}}')],
  ])('%s is no slip', (_, members) => {
    expect(ids(one(members))).toEqual(['a']);
  });

  it.each([
    ['a kid that is long and random beside a short k', k(), 'c2hvcnQ', true],
    [
      'a kid that is hex beside a readable k',
      randomBytes(16).toString('hex'),
      'orders-webhook-primary-1',
      true,
    ],
    ['a thumbprint as kid', k(), k(), false],
    ['a UUID as kid', '0b7e4d5a-8f5e-4d4f-9b3c-2f4f0f7f3c1d', k(), false],
    ['a date as kid', '2026-11', k(), false],
  ])('%s: warns of an exchange %#', (_, kid, secret, warned) => {
    const found = warnings(set(kid, { kty: 'oct', kid, k: secret }));
    expect(found).toEqual(warned ? [expect.stringContaining('exchanged in keys.0')] : []);
    expect(found.join()).not.toContain(kid);
  });
});

describe('two members of one name', () => {
  const one = JSON.stringify(key('a')).slice(1, -1);
  const other = JSON.stringify(key('b')).slice(1, -1);

  it.each([
    ['primary', `{"primary":"a",\n"keys":[{${one}},{${other}}],\n"primary":"b"}`],
    ['keys', `{"primary":"a","keys":[{${other}}],\n"keys":[{${one}}]}`],
    ['k of a key', `{"primary":"a","keys":[{${one},\n\n"k":"${k()}"}]}`],
    ['the same value', `{"primary":"a","keys":[{${one}}],"primary":"a"}`],
    ['a name in another spelling', `{"primary":"a","keys":[{${one}}],"prim\\u0061ry":"a"}`],
  ])('are refused: %s', (_, json) => {
    expect(problems(json)).toEqual(['has a duplicate member in an object; remove one of the two']);
  });

  it('are no such thing in two keys', () => {
    expect(ids(`{"primary":"a","keys":[{${one}},{${other}}]}`)).toEqual(['a', 'b']);
  });
});

describe('what is not JSON', () => {
  const marker = 'q7Zk9VxW2m';
  it.each<[string, string | Uint8Array]>([
    ['text', marker],
    ['a quoted key without the rest', `"${marker}`],
    ['cut off', `{"primary": "${marker}", "keys": [{"k": "${marker}`],
    ['two texts', `{"primary":"${marker}"}{}`],
    ['a trailing comma', `{"primary":"${marker}",}`],
    ['a comment', `{"primary":"${marker}"} // ${marker}`],
    ['single quotes', `{'primary':'${marker}'}`],
    ['YAML', `primary: ${marker}`],
    ['a byte order mark', `\ufeff{"primary":"${marker}"}`],
    ['bytes that are not UTF-8', Buffer.from(`{"primary":"${marker}\xff"}`, 'latin1')],
    ['UTF-16', Buffer.from(`{"primary":"${marker}"}`, 'utf16le')],
  ])('is refused without a word of it: %s', (_, text) => {
    const parsed = parseJwkSet(Buffer.from(text));
    expect(parsed).toEqual({
      ok: false,
      problems: ['is not one JSON text in UTF-8 without a byte order mark'],
    });
  });

  it('nor does a problem of the shape repeat a value', () => {
    const broken = [
      set(marker, key('a', { k: `${marker}!` })),
      {
        primary: [marker],
        keys: [{ kty: marker, kid: [marker], alg: marker, use: marker, key_ops: [marker] }],
      },
      one({ [marker]: marker, k: '!' }),
      { [marker]: marker },
      [marker],
    ];
    const found = broken.flatMap((json) => problems(json));
    expect(found.length).toBeGreaterThanOrEqual(7);
    expect(found.join()).not.toContain(marker);
  });

  it.each([
    ['levels', '['.repeat(100_000)],
    ['values', `[${'0,'.repeat(100_000)}0]`],
    ['members', `{${'"a":0,'.repeat(5000)}"a":0}`],
  ])('is refused for too many %s before it is parsed', (_, text) => {
    expect(problems(text)).toEqual([expect.stringContaining('has more than 4096 members or is nested')]);
  });

  it('is not too much because of what stands in a string', () => {
    const json = JSON.stringify(one({ note: '\\"[{:,'.repeat(5000) }));
    expect(ids(json)).toEqual(['a']);
  });

  it('is refused in depth without exhausting the stack', () => {
    const deep = `{"primary":"a","keys":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    expect(problems(deep)).toHaveLength(1);
  });
});
