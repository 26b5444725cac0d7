import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { algorithms, currentAlgorithms } from '../../src/signing/mac.ts';
import { type Content, createTestStore, problemsOf, type TestStoreOptions, tagOf } from '../support/keys.ts';
import { leaks } from '../support/leaks.ts';

/** Bytes that no rule of weakness or printability finds fault with. */
const strong = (length = 32) => Buffer.concat([Buffer.of(0x00, 0x01), randomBytes(length - 2)]);

const load = async (content: Content, options: TestStoreOptions = {}) => {
  const { store, put } = createTestStore(options);
  await put(content);
  if (store.current === undefined) throw new Error('nothing was loaded');
  return store.current.keySets;
};
const refusal = (content: Content, options: TestStoreOptions = {}) =>
  problemsOf(createTestStore(options).put(content));

describe('without a configuration', () => {
  it('each file is a key set by its name, raw, HS256, for both operations', async () => {
    const keySets = await load({ orders: strong(), '.session': strong(), 'a-B_c.9': strong() });
    expect([...keySets.keys()]).toEqual(['.session', 'a-B_c.9', 'orders']);
    expect(keySets.get('orders')).toMatchObject({
      settings: {
        policy: { allow: ['sign', 'verify'] },
        format: { name: 'raw', options: { output: 'hex' } },
      },
      keys: [{ mac: { algorithm: 'HS256' } }],
      warnings: [],
    });
  });

  it('a file in a sub-directory is named with dots', async () => {
    const keySets = await load({ 'my-group/my-key': strong(), 'a/b/c': strong() });
    expect([...keySets.keys()]).toEqual(['a.b.c', 'my-group.my-key']);
  });

  it('*.jwks.json is a JWK set', async () => {
    const jwks = { primary: '2', keys: [jwk('1', strong()), jwk('2', strong())] };
    const keySets = await load({
      's.jwks.json': JSON.stringify(jwks),
      'other.json': `${JSON.stringify(jwks)}\0`,
    });
    expect(keySets.get('s.jwks.json')?.keys).toMatchObject([{ id: '2' }, { id: '1' }]);
    expect(keySets.get('other.json')?.keys).toHaveLength(1);
  });

  it('names that mean something to JavaScript are names', async () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    // Object.fromEntries defines properties, "__proto__" as well.
    const keySets = await load(Object.fromEntries(names.map((name) => [name, strong()])));
    expect([...keySets.keys()]).toEqual([...names].sort());
  });

  it.each([
    ['253 characters', 'n'.repeat(253)],
    ['one character', 'n'],
    ['two dots within', 'a..b'],
    ['a dot at the end', 'a.'],
    ['a dot in front', '.a'],
    ['a dash alone', '-'],
  ])('a name may have %s', async (_, name) => {
    expect([...(await load({ [name]: strong() })).keys()]).toEqual([name]);
  });

  it.each([
    ['254 characters', 'n'.repeat(254)],
    ['253 characters with its directory and one more', `${'d'.repeat(100)}/${'n'.repeat(153)}`],
    ['a space', 'a b'],
    ['a space at the end', 'a '],
    ['a newline', 'a\n'],
    ['NUL', 'a\0'],
    ['a letter that only looks like one', 'оrders'],
    ['an accent', 'schlüssel'],
    ['a tilde, as an editor leaves it', 'orders~'],
    ['a percent sign', 'a%2fb'],
    ['two dots in front', '..orders'],
  ])('a name may not have %s', async (_, name) => {
    expect(await refusal({ [name]: strong() })).toEqual([expect.stringContaining('is not a usable name')]);
  });

  it('two files of one name are refused, and nothing else is', async () => {
    expect(await refusal({ 'a/b': strong(), 'a.b': strong(), c: strong() })).toEqual([
      '"a.b" is the name of two files; rename one of them',
    ]);
  });
});

const jwk = (kid: string, key: Buffer, members: object = {}) => ({
  kty: 'oct',
  kid,
  k: key.toString('base64url'),
  ...members,
});

describe('a weak key', () => {
  const weak: readonly [string, Uint8Array, string][] = [
    ['15 bytes', strong(15), 'is 15 bytes long; a key needs at least 16, better 32'],
    ['1 byte', Buffer.of(7), 'is 1 byte long'],
    ['32 zeros', new Uint8Array(32), 'is one byte repeated'],
    ['one letter, 20 times', Buffer.from('a'.repeat(20)), 'is one byte repeated'],
    ['a longer run of one byte', new Uint8Array(4096).fill(0xff), 'is one byte repeated'],
    ['white space', Buffer.from(' \t'.repeat(10)), 'is nothing but white space'],
  ];

  it.each(weak)('is refused: %s', async (_, key, problem) => {
    expect(await refusal({ k: key })).toEqual([expect.stringContaining(problem)]);
  });

  it.each(weak)('is let in by allowWeakKey, with a warning: %s', async (_, key) => {
    const keySet = (await load({ k: key }, { yaml: 'keys: { k: { allowWeakKey: true } }' })).get('k');
    expect(keySet?.warnings).toEqual(['holds a weak key, accepted because of allowWeakKey; replace it']);
    const stream = keySet?.keys[0].mac.start();
    stream?.update(Buffer.from('message'));
    expect(stream?.digest()).toEqual(tagOf('HS256', key, 'message'));
  });

  it('is what it is in every way: a short one of one byte repeated', async () => {
    expect(await refusal({ k: 'aaaa' })).toHaveLength(2);
  });

  it('is no key of 16 different bytes', async () => {
    expect((await load({ k: strong(16) })).get('k')?.warnings).toEqual([]);
  });

  it('is no key whose length needs no allowance, though it is allowed', async () => {
    const keySet = (await load({ k: strong() }, { yaml: 'keys: { k: { allowWeakKey: true } }' })).get('k');
    expect(keySet?.warnings).toEqual([]);
  });

  it.each([
    ['HS256', 32],
    ['HS384', 48],
    ['HS512', 64],
  ])(
    'is one that is shorter than its format demands: jwt, %s, %i bytes (RFC 7518 §3.2)',
    async (algorithm, length) => {
      const yaml = (more = '') => `keys: { k: { format: jwt, algorithm: ${algorithm}${more} } }`;
      expect(await refusal({ k: strong(length - 1) }, { yaml: yaml() })).toEqual([
        `"k" is ${length - 1} bytes long; a key needs at least ${length}`,
      ]);
      expect((await load({ k: strong(length) }, { yaml: yaml() })).get('k')?.warnings).toEqual([]);
      const allowed = await load({ k: strong(length - 1) }, { yaml: yaml(', allowWeakKey: true') });
      expect(allowed.get('k')?.warnings).toHaveLength(1);
    },
  );

  it.each(['bytes', 'text', 'hex', 'base64', 'base64url', 'whsec'])(
    'cannot be empty even so: %s',
    async (encoding) => {
      const yaml = `keys: { k: { encoding: ${encoding}, allowWeakKey: true } }`;
      expect(await refusal({ k: '' }, { yaml })).toEqual([expect.stringContaining('"k" is empty')]);
      const blank = encoding === 'whsec' ? 'whsec_\n' : '\n';
      if (encoding !== 'bytes') {
        expect(await refusal({ k: blank }, { yaml })).toEqual([expect.stringContaining('"k" is empty')]);
      }
    },
  );

  it('in a JWK set is named by its place, never by its kid', async () => {
    const keys = [jwk('good', strong()), jwk('short', strong(8)), jwk('none', Buffer.alloc(0))];
    expect(await refusal({ 's.jwks.json': JSON.stringify({ primary: 'good', keys }) })).toEqual([
      expect.stringContaining('"s.jwks.json" keys.1: is 8 bytes long'),
      expect.stringContaining('"s.jwks.json" keys.2: is empty'),
    ]);
  });

  it('gets an id that tells nothing of it, and keeps it as long as the process lives', async () => {
    const yaml = 'keys: { k: { allowWeakKey: true } }';
    const { store, put } = createTestStore({ yaml });
    const id = () => store.current?.keySets.get('k')?.keys[0].id;
    await put({ k: 'guess me' });
    const first = id();
    await put({ k: 'another' });
    const second = id();
    await put({ k: 'guess me' });
    expect(first).toMatch(/^[0-9a-f]{16}$/);
    expect(second).not.toBe(first);
    expect(id()).toBe(first);
    expect(first).not.toBe(derivedId(Buffer.from('guess me')));
  });

  it('has its kid as its id in a JWK set', async () => {
    const yaml = 'keys: { s: { encoding: jwks, allowWeakKey: true } }';
    const content = JSON.stringify({ primary: 'kid', keys: [jwk('kid', Buffer.from('weak'))] });
    expect((await load({ s: content }, { yaml })).get('s')?.keys[0].id).toBe('kid');
  });
});

/** As DESIGN defines it, by another implementation. */
const derivedId = (key: Uint8Array) => tagOf('HS256', key, 'sidecar-signer key id').toString('hex', 0, 8);

describe('a key id', () => {
  it.each([16, 32, 64, 65, 200])('is derived from the key alone (%i bytes)', async (length) => {
    const key = strong(length);
    expect((await load({ k: key })).get('k')?.keys[0].id).toBe(derivedId(key));
  });

  it('is the same for every algorithm, so that it is the same on every replica in mid-change', async () => {
    const key = strong();
    const ids = await Promise.all(
      currentAlgorithms.map(
        async (name) =>
          (await load({ k: key }, { yaml: `keys: { k: { algorithm: ${name} } }` })).get('k')?.keys[0].id,
      ),
    );
    expect(new Set(ids)).toEqual(new Set([derivedId(key)]));
  });

  it('follows the kid when only that changes', async () => {
    const key = strong();
    const { store, put } = createTestStore();
    const content = (kid: string) => ({
      's.jwks.json': JSON.stringify({ primary: kid, keys: [jwk(kid, key)] }),
    });
    await put(content('2025'));
    await put(content('2026'));
    expect(store.current?.keySets.get('s.jwks.json')?.keys[0].id).toBe('2026');
  });
});

describe('an algorithm', () => {
  it("comes from the configuration, else from the key, else it is the format's first", async () => {
    const content = JSON.stringify({
      primary: 'a',
      keys: [jwk('a', strong(64), { alg: 'HS512' }), jwk('b', strong(64))],
    });
    const algorithmsOf = async (yaml: string) =>
      (await load({ s: content }, { yaml })).get('s')?.keys.map((key) => key.mac.algorithm);
    expect(await algorithmsOf('keys: { s: { encoding: jwks } }')).toEqual(['HS512', 'HS256']);
    expect(await algorithmsOf('keys: { s: { encoding: jwks, algorithm: HS512 } }')).toEqual([
      'HS512',
      'HS512',
    ]);
  });

  it('of a key is refused when the configuration says another', async () => {
    const content = JSON.stringify({ primary: 'a', keys: [jwk('a', strong(64), { alg: 'HS512' })] });
    const yaml = 'keys: { s: { encoding: jwks, algorithm: HS256 } }';
    expect(await refusal({ s: content }, { yaml })).toEqual([
      '"s" keys.0: is a key for HS512, but the configuration says "algorithm: HS256"',
    ]);
  });
});

describe('the same key under two names', () => {
  const key = strong();
  const block = (algorithm: keyof typeof algorithms) => algorithms[algorithm].blockBytes;
  const hashed = (algorithm: keyof typeof algorithms, long: Uint8Array) =>
    createHash(algorithms[algorithm].hash).update(long).digest();
  const long = strong(200);

  it.each<[string, Content, string]>([
    ['the same bytes', { a: key, b: key }, 'keys: { a: , b: }'],
    ['one file', { a: key }, 'keys: { a: , b: { file: a } }'],
    ['in another encoding', { a: key, b: key.toString('hex') }, 'keys: { a: , b: { encoding: hex } }'],
    ['for another algorithm', { a: key, b: key }, 'keys: { a: , b: { algorithm: HS512 } }'],
    ['for SHA-2 and SHA-3', { a: key, b: key }, 'keys: { a: , b: { algorithm: HMAC-SHA3-512 } }'],
    ['padded with a zero', { a: key, b: Buffer.concat([key, Buffer.of(0)]) }, 'keys: { a: , b: }'],
    ['padded to a block', { a: key, b: Buffer.concat([key, Buffer.alloc(32)]) }, 'keys: { a: , b: }'],
    ['a long key and its hash', { a: long, b: hashed('HS256', long) }, 'keys: { a: , b: }'],
    [
      'a long key and its hash, for an algorithm of a longer block',
      { a: long, b: hashed('HS512', long) },
      'keys: { a: { algorithm: HS512 }, b: { algorithm: HS512 } }',
    ],
    [
      'a long key, whose hash another algorithm has as its key',
      { a: long, b: hashed('HS256', long) },
      'keys: { a: , b: { algorithm: HS384 } }',
    ],
    ['a long key for two algorithms', { a: long, b: long }, 'keys: { a: { algorithm: HS384 }, b: }'],
    [
      'in a JWK set',
      { a: key, b: JSON.stringify({ primary: 'x', keys: [jwk('x', strong()), jwk('y', key)] }) },
      'keys: { a: , b: { encoding: jwks } }',
    ],
    [
      'by a variable',
      { a: key.toString('hex') },
      'keys: { a: { encoding: hex }, b: { env: B, encoding: hex } }',
    ],
  ])('is refused: %s', async (_, content, yaml) => {
    expect(await refusal(content, { yaml, env: { B: key.toString('hex') } })).toEqual([
      '"b" holds the same key as "a"; give each key set a key of its own',
    ]);
  });

  it('twice in one JWK set is refused', async () => {
    const keys = [jwk('x', key), jwk('y', key)];
    expect(await refusal({ 's.jwks.json': JSON.stringify({ primary: 'x', keys }) })).toEqual([
      '"s.jwks.json" holds the same key twice; remove one of them',
    ]);
  });

  it('is refused once for each name beyond the first', async () => {
    expect(await refusal({ a: key, b: key, c: key })).toHaveLength(2);
  });

  it.each<[string, Content]>([
    ['a longer key that begins with it', { a: key, b: Buffer.concat([key, Buffer.of(1)]) }],
    ['zeros in front', { a: key, b: Buffer.concat([Buffer.of(0), key]) }],
    [
      'zeros beyond a block',
      { a: strong(block('HS256')), b: Buffer.concat([strong(block('HS256')), Buffer.of(0)]) },
    ],
    ['the hash of a key that is not over a block', { a: strong(64), b: hashed('HS256', strong(64)) }],
  ])('is not: %s', async (_, content) => {
    expect([...(await load(content)).keys()]).toEqual(['a', 'b']);
  });
});

describe('a secret that is not there', () => {
  it.each([
    ['keys: { orders: }', '"orders" has no file of its name in the mounted secrets; did you mean "order"?'],
    [
      'keys: { x: { file: oders } }',
      '"x" needs a file ("file") that is not there in the mounted secrets; did you mean "order"?',
    ],
    [
      'keys: { x: { file: elsewhere } }',
      '"x" needs a file ("file") that is not there in the mounted secrets',
    ],
    [
      'keys: { x: { file: Order } }',
      '"x" needs a file ("file") that is not there in the mounted secrets; did you mean "order"?',
    ],
    [
      'keys: { x: { env: MISSING } }',
      '"x" needs a variable that is not set ("env"); set it and restart the signer, or correct its name',
    ],
  ])('%s', async (yaml, problem) => {
    expect(await refusal({ order: strong() }, { yaml })).toEqual([problem]);
  });

  it('is meant by its path, with slashes or with dots', async () => {
    const content = { 'group/key': strong() };
    const yaml = (file: string) => `keys: { x: { file: ${file} } }`;
    expect([...(await load(content, { yaml: yaml('group/key') })).keys()]).toEqual(['x']);
    expect([...(await load(content, { yaml: yaml('group.key') })).keys()]).toEqual(['x']);
    expect(await refusal(content, { yaml: yaml('group/kex') })).toEqual([
      expect.stringContaining('did you mean "group.key"?'),
    ]);
  });

  it('is not looked for in names of JavaScript', async () => {
    expect(await refusal({ order: strong() }, { yaml: 'keys: { x: { file: constructor } }' })).toHaveLength(
      1,
    );
  });
});

describe('with a configuration', () => {
  it('what it does not list does not matter', async () => {
    const key = strong();
    const content = {
      a: key,
      'same as a': key,
      'a b': 'x\n',
      empty: '',
      'c/d': strong(),
      'c.d': strong(),
      'x.jwks.json': '{',
    };
    expect([...(await load(content, { yaml: 'keys: { a: }' })).keys()]).toEqual(['a']);
  });

  it('a name that stands for two files is refused where it is used', async () => {
    const content = { 'c/d': strong(), 'c.d': strong() };
    expect(await refusal(content, { yaml: 'keys: { x: { file: c.d } }' })).toEqual([
      '"x" is the name of two files; rename one of them',
    ]);
  });
});

describe('everything that is wrong', () => {
  const key = strong();
  const marker = randomBytes(24);
  const text = marker.toString('base64url');

  it('is told at once, by name', async () => {
    const yaml = `keys:
      { a: , b: , hex: { encoding: hex }, missing: , whsec: { encoding: whsec }, set: { encoding: jwks },
        newline: , short: , "text": { encoding: text }, env: { env: NOT_SET } }`;
    const content = {
      a: key,
      b: key,
      hex: `${text}`,
      whsec: `v1,whsec_${text}`,
      set: `{"keys": "${text}"`,
      newline: `${text}\n`,
      short: marker.subarray(0, 15),
      text: Buffer.concat([Buffer.from('text'), Buffer.of(0xff), marker]),
    };
    const problems = await refusal(content, { yaml });
    expect(problems.map((each) => /^"(\w+)"/.exec(each)?.[1]).sort()).toEqual([
      'b',
      'env',
      'hex',
      'missing',
      'newline',
      'set',
      'short',
      'text',
      'whsec',
    ]);
    expect(leaks(problems.join('\n'), marker)).toEqual([]);
    expect(leaks(problems.join('\n'), Buffer.from(text))).toEqual([]);
  });
});

describe('what a person should know', () => {
  const base64 = randomBytes(33).toString('base64');
  const hex = randomBytes(32).toString('hex');
  it.each<[string, string, string, RegExp | undefined]>([
    ['text with a newline', '{ encoding: text }', 'correct horse battery\n', /ends with a newline/],
    ['text without one', '{ encoding: text }', 'correct horse battery', undefined],
    ['base64 as bytes', '{ }', base64, /looks like base64/],
    ['hex as base64', '{ encoding: base64 }', hex, /is also hex; .* set "encoding: hex"/],
    ['hex as base64url', '{ encoding: base64url }', `${hex.toUpperCase()}\n`, /is also hex/],
    ['base64 of base64', '{ encoding: base64 }', Buffer.from(base64).toString('base64'), /looks like base64/],
    ['base64 as text, which says so', '{ encoding: text }', base64, undefined],
    ['base64 that is declared', '{ encoding: base64 }', base64, undefined],
    ['hex as bytes', '{ }', randomBytes(32).toString('hex'), undefined],
    ['a variable', '{ env: K, encoding: text }', '', /comes from the environment/],
  ])('%s', async (_, fields, content, warning) => {
    const keySet = (
      await load(
        { k: content, other: strong() },
        { yaml: `keys: { k: ${fields} }`, env: { K: 'correct horse battery' } },
      )
    ).get('k');
    expect(keySet?.warnings).toEqual(warning === undefined ? [] : [expect.stringMatching(warning)]);
  });
});

it('a variable that is not UTF-8, of which the runtime loses bytes, is refused', async () => {
  const env = { K: Buffer.from('correct horse \xff battery', 'latin1').toString() };
  expect(await refusal({}, { yaml: 'keys: { k: { env: K, encoding: text } }', env })).toEqual([
    '"k" is a variable that is not UTF-8; write the key as hex or base64',
  ]);
});

describe('the text of a Standard Webhooks secret', () => {
  const secret = strong();
  const whsec = `whsec_${secret.toString('base64')}`;
  // 24 bytes have neither padding nor, by chance, a character that base64url does not have.
  const asBase64url = `whsec_${Buffer.alloc(24, 'a secret').toString('base64')}`;
  const undecoded =
    '"k" is a whole "whsec_…" secret; the key is only the part after "whsec_", decoded from base64';
  const declare = `${undecoded}; set "encoding: whsec", which decodes it; if its issuer signs with the text itself, set "encoding: text" and "allowUndecoded: true"`;
  const givePart = `${undecoded}; give that part, in this file's own encoding`;
  const set = (k: Buffer) => JSON.stringify({ primary: '1', keys: [jwk('1', k)] });
  const yaml = (format: string, encoding: string) =>
    `keys: { k: { format: ${format}, encoding: ${encoding} } }`;

  it.each([
    ['bytes', whsec, declare],
    ['text', whsec, declare],
    ['text', `${whsec}\n`, declare],
    ['text', `v1,${whsec}`, declare],
    ['base64url', asBase64url, declare],
    ['base64', Buffer.from(whsec).toString('base64'), givePart],
    ['hex', Buffer.from(whsec).toString('hex'), givePart],
    ['hex', Buffer.from(`v1,${whsec}`).toString('hex'), givePart],
    ['whsec', `whsec_${Buffer.from(whsec).toString('base64')}`, givePart],
    ['jwks', set(Buffer.from(whsec)), `"k" keys.0:${givePart.slice('"k"'.length)}`],
  ])('is refused as a key of that format, not decoded: %s', async (encoding, content, problem) => {
    const problems = await refusal({ k: content }, { yaml: yaml('standard-webhooks', encoding) });
    expect(problems).toEqual([problem]);
    expect(leaks(problems.join(), secret)).toEqual([]);
  });

  it.each([
    ['whsec', whsec],
    ['bytes', secret],
    ['base64', secret.toString('base64')],
    ['jwks', set(secret)],
  ])('is what it stands for when it is decoded: %s', async (encoding, content) => {
    const keySets = await load({ k: content }, { yaml: yaml('standard-webhooks', encoding) });
    const stream = keySets.get('k')?.keys[0].mac.start();
    stream?.update(Buffer.from('m'));
    expect(stream?.digest()).toEqual(tagOf('HS256', secret, 'm'));
  });

  it.each(['stripe', 'raw', 'github'])('is itself the key of the format %s', async (format) => {
    const keySets = await load({ k: whsec }, { yaml: yaml(format, 'text') });
    const stream = keySets.get('k')?.keys[0].mac.start();
    stream?.update(Buffer.from('m'));
    expect(stream?.digest()).toEqual(tagOf('HS256', whsec, 'm'));
  });

  it('is let in by no allowance for weak keys', async () => {
    const weak = 'keys: { k: { format: standard-webhooks, encoding: text, allowWeakKey: true } }';
    expect(await refusal({ k: whsec }, { yaml: weak })).toEqual([declare]);
  });

  const allowed = 'keys: { k: { format: standard-webhooks, encoding: text, allowUndecoded: true } }';
  it.each([whsec, `${whsec}\n`, `v1,${whsec}`, 'a secret without any prefix'])(
    'is itself the key with allowUndecoded',
    async (content) => {
      const keySets = await load({ k: content }, { yaml: allowed });
      const stream = keySets.get('k')?.keys[0].mac.start();
      stream?.update(Buffer.from('m'));
      expect(stream?.digest()).toEqual(tagOf('HS256', content.trimEnd(), 'm'));
    },
  );

  it('counts as long as what follows the prefix', async () => {
    const short = `v1,whsec_${'x'.repeat(22)}y`;
    expect(await refusal({ k: short }, { yaml: allowed })).toEqual([
      expect.stringContaining('is 23 bytes long'),
    ]);
    expect(await refusal({ k: `whsec_${'x'.repeat(32)}` }, { yaml: allowed })).toEqual([
      expect.stringContaining('is one byte repeated'),
    ]);
    expect(await load({ k: `${short}z` }, { yaml: allowed })).toBeDefined();
  });

  const asWebhook = 'a Standard Webhooks secret needs "format: standard-webhooks"';
  const asText = (format: string) =>
    `the format ${format} uses the whole text "whsec_…" as the key; set "encoding: text"`;
  it.each([
    ['raw', asWebhook],
    ['jwt', asWebhook],
    ['stripe', asText('stripe')],
    ['github', asText('github')],
  ])('decoded under the format %s gets a warning', async (format, remedy) => {
    const keySets = await load(
      { k: `whsec_${strong().toString('base64')}` },
      { yaml: yaml(format, 'whsec') },
    );
    expect(keySets.get('k')?.warnings).toEqual([
      `has the encoding whsec and the format ${format}; ${remedy}`,
    ]);
  });

  it.each([
    ['raw', 'text', whsec],
    ['raw', 'text', `v1,${whsec}`],
    ['raw', 'bytes', whsec],
    ['jwt', 'text', whsec],
  ])('under the format %s and the encoding %s gets a note', async (format, encoding, content) => {
    const keySets = await load({ k: content }, { yaml: yaml(format, encoding) });
    expect(keySets.get('k')?.warnings).toEqual([
      'is a "whsec_…" secret; for Standard Webhooks set "encoding: whsec" and "format: standard-webhooks", for Stripe "encoding: text" and "format: stripe"',
    ]);
  });

  it.each(['stripe', 'github', 'slack'])('needs no note as the key of the format %s', async (format) => {
    const keySets = await load({ k: whsec }, { yaml: yaml(format, 'text') });
    expect(keySets.get('k')?.warnings).toEqual([]);
  });
});
