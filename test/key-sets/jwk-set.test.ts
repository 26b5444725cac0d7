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
  return parsed.ok ? parsed.value.map(({ id }) => id) : parsed.problems;
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
      value: [
        { id: 'a', bytes: new Uint8Array(bytes), algorithm: 'HS384' },
        { id: 'b', algorithm: undefined },
      ],
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
    [
      'a single JWK',
      key('a'),
      ['keys: must be a list', 'primary: must be a string', 'as a JWK set: unknown field'],
    ],
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
      'an RSA key',
      set('a', { kty: 'RSA', kid: 'a', n: 'AQAB', e: 'AQAB' }),
      ['keys.0.kty: must be oct', 'keys.0.k: must be a string', 'keys.0: unknown field'],
    ],
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
    ['a misspelt disabled', set('a', key('a'), key('b', { disbled: true })), ['keys.1: unknown field']],
    ['an unknown member of the set', { ...set('a', key('a')), active: 'a' }, ['as a JWK set: unknown field']],
    [
      `${maxJwks + 1} keys`,
      set('0', ...Array.from({ length: maxJwks + 1 }, (_, i) => key(`${i}`))),
      [`keys: must have at most ${maxJwks} elements`],
    ],
    [
      '__proto__',
      '{"primary":"a","keys":[],"__proto__":{}}',
      ['keys: must have at least 1', 'as a JWK set: unknown field'],
    ],
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
    ['nested 100,000 deep', '['.repeat(100_000)],
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
      one({ [marker]: marker }),
      { [marker]: marker },
      [marker],
    ];
    const found = broken.flatMap((json) => problems(json));
    expect(found.length).toBeGreaterThanOrEqual(10);
    expect(found.join()).not.toContain(marker);
  });

  it('is refused in depth without exhausting the stack', () => {
    const deep = `{"primary":"a","keys":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    expect(problems(deep)).toHaveLength(1);
  });
});
