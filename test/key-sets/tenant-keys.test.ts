/** Keys that are derived: which, for whom, how they are written for those who receive them, and how many are kept. */

import { randomBytes } from 'node:crypto';
import { hkdf as independentHkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formats } from '../../src/formats/index.ts';
import type { LoadedKey, Root } from '../../src/key-sets/key.ts';
import { decodeKey } from '../../src/key-sets/key-encoding.ts';
import { createTenantKeys, derivationInfo, maxKeptKeys } from '../../src/key-sets/tenant-keys.ts';
import { type Algorithm, keyId, tagOf as tagBy } from '../../src/signing/mac.ts';
import { createTestStore, manualClocks, problemsOf, tagOf } from '../support/keys.ts';
import { leaks } from '../support/leaks.ts';

const aws = 'aws-sigv4: { accessKeyId: AKIDEXAMPLE, services: [s3], regions: [us-east-1] }';
const newRoot = () => Buffer.concat([Buffer.of(0), randomBytes(31)]);
const message = Buffer.from('message');
/** The tenants that are hardest to tell apart, or to keep in an object. */
const awkward = [...'a A a.b a.b.c .a a. - __proto__ constructor toString'.split(' '), 'n'.repeat(253)];

async function load(fields: string, files: Record<string, string | Uint8Array>, name = 'k') {
  const clocks = manualClocks();
  const test = createTestStore({ yaml: `keys: { ${name}: { ${fields} } }`, clocks });
  await test.put(files);
  const keySet = () => {
    const found = test.store.current?.keySets.get(name);
    if (found === undefined) throw new Error('nothing is loaded');
    return found;
  };
  const keysOf = (tenant: string) => {
    const { tenantKeys } = keySet();
    if (tenantKeys === undefined) throw new Error('its keys are not derived');
    return tenantKeys(tenant);
  };
  const reload = () => test.configure(`keys: { ${name}: { ${fields} } }`);
  return { ...test, clocks, keySet, keysOf, reload };
}

/** What docs/derived-keys.md says of it, by another implementation. */
function derivedBytes(root: Uint8Array, format: string, tenant: string, length = 32): Buffer {
  const info = Buffer.from(`sidecar-signer/v1\0${format}\0${tenant}`);
  return Buffer.from(independentHkdf(sha256, root, Buffer.from('sidecar-signer'), info, length));
}

describe('what a key is derived for', () => {
  it('is written with NUL between its parts', () => {
    expect(derivationInfo('jwt', 'acme').toString('latin1')).toBe('sidecar-signer/v1\0jwt\0acme');
  });

  // Of few letters, so that parts run into each other's places often.
  it('is told apart for every two pairs of a format and a tenant', () => {
    const format = fc.oneof(fc.constantFrom(...formats.keys()), fc.stringMatching(/^[ab-]{1,3}$/));
    const tenant = fc.oneof(
      fc.constantFrom(...awkward, ...formats.keys()),
      fc.stringMatching(/^[ab.-]{1,3}$/),
    );
    const pair = fc.tuple(format, tenant);
    fc.assert(
      fc.property(pair, pair, ([own, whose], [other, another]) => {
        const same = own === other && whose === another;
        expect(derivationInfo(own, whose).equals(derivationInfo(other, another))).toBe(same);
      }),
      { numRuns: 20_000 },
    );
  });

  it('has no part with NUL in it', () => {
    expect([...formats.keys()].filter((name) => name.includes('\0'))).toEqual([]);
  });
});

describe('a derived key', () => {
  it.each<[string, string, Algorithm, 'hex' | 'base64url' | 'text' | 'whsec']>([
    ['raw', '', 'HS256', 'hex'],
    ['raw', 'algorithm: HS512', 'HS512', 'hex'],
    ['raw', 'algorithm: HMAC-SHA3-384', 'HMAC-SHA3-384', 'hex'],
    ['jwt', '', 'HS256', 'base64url'],
    ['jwt', 'algorithm: HS384', 'HS384', 'base64url'],
    ['jwt', 'algorithm: HS512', 'HS512', 'base64url'],
    ['standard-webhooks', '', 'HS256', 'whsec'],
    ['github', '', 'HS256', 'text'],
    ['shopify', '', 'HS256', 'text'],
    ['stripe', '', 'HS256', 'text'],
    ['slack', '', 'HS256', 'text'],
    ['cookie', '', 'HS256', 'text'],
    ['http-signature', '', 'HS256', 'hex'],
    ['aws-sigv4', aws, 'HS256', 'text'],
    ['signed-url', '', 'HS256', 'hex'],
    ['signed-url', 'signed-url: { scheme: laravel }', 'HS256', 'text'],
  ])('of %s %s is the one of HKDF for %s, and exported as %s', async (format, more, algorithm, encoding) => {
    const root = newRoot();
    const fields = ['deriveFrom: root, allowExport: true', `format: ${format}`, more]
      .filter(Boolean)
      .join(', ');
    const { keySet, keysOf } = await load(fields, { root });
    const [{ id, mac }] = keysOf('acme');
    const length = tagOf(algorithm, 'key', message).length;
    const derived = derivedBytes(root, format, 'acme', length);
    const key = encoding === 'text' ? Buffer.from(derived.toString('hex')) : derived;
    const prefixed = format === 'aws-sigv4' ? Buffer.concat([Buffer.from('AWS4'), key]) : key;
    expect(mac.algorithm).toBe(algorithm);
    expect(tagBy(mac, message)).toEqual(tagOf(algorithm, prefixed, message));
    expect(id).toBe(tagOf('HS256', key, 'sidecar-signer key id').toString('hex', 0, 8));

    const exported = keySet().loaded[0].root?.exportSecret?.('acme') ?? '';
    expect(exported).toBe(
      {
        hex: derived.toString('hex'),
        text: derived.toString('hex'),
        base64url: derived.toString('base64url'),
        whsec: `whsec_${derived.toString('base64')}`,
      }[encoding],
    );
    const decoded = decodeKey(Buffer.from(exported), encoding);
    expect(decoded.ok && Buffer.from(decoded.value.bytes)).toEqual(Buffer.from(key));
  });

  it('is the same for a root in any encoding', async () => {
    const root = newRoot();
    const written: Record<string, string> = {
      hex: root.toString('hex'),
      base64: root.toString('base64'),
      base64url: root.toString('base64url'),
      whsec: `whsec_${root.toString('base64')}`,
      jwks: JSON.stringify({ primary: 'r', keys: [{ kty: 'oct', kid: 'r', k: root.toString('base64url') }] }),
    };
    const expected = tagOf('HS256', derivedBytes(root, 'raw', 'acme'), message);
    for (const [encoding, content] of Object.entries(written)) {
      const { keysOf } = await load(`deriveFrom: root, encoding: ${encoding}`, { root: content });
      expect(tagBy(keysOf('acme')[0].mac, message)).toEqual(expected);
    }
  });

  it('is another for every tenant, and the same each time', async () => {
    const { keysOf } = await load('deriveFrom: root', { root: newRoot() });
    const tagsOf = () => awkward.map((tenant) => tagBy(keysOf(tenant)[0].mac, message).toString('hex'));
    expect(new Set(tagsOf()).size).toBe(awkward.length);
    expect(tagsOf()).toEqual(tagsOf());
    expect(new Set(awkward.map((tenant) => keysOf(tenant)[0].id)).size).toBe(awkward.length);
  });

  it('is not to be had from the root itself, whose own key is that of nobody', async () => {
    const root = newRoot();
    const { keySet } = await load('deriveFrom: root', { root });
    const [{ id, mac }] = keySet().keys;
    expect(id).toBe(keyId(root));
    expect(tagBy(mac, message)).not.toEqual(tagOf('HS256', root, message));
    expect(tagBy(mac, message)).toEqual(tagOf('HS256', derivedBytes(root, 'raw', ''), message));
  });

  it('has no secret that could be exported unless the configuration says so', async () => {
    const root = newRoot();
    for (const allowed of ['', ', allowExport: false']) {
      const { keySet } = await load(`deriveFrom: root${allowed}`, { root });
      expect(keySet().loaded[0].root).toBeDefined();
      expect(keySet().loaded[0].root).not.toHaveProperty('exportSecret');
    }
  });
});

describe('a root', () => {
  const refusal = (fields: string, root: string | Uint8Array) =>
    problemsOf(createTestStore({ yaml: `keys: { k: { deriveFrom: root, ${fields} } }` }).put({ root }));

  it.each([
    ['of 31 bytes', newRoot().subarray(0, 31), 'is 31 bytes long; a key needs at least 32'],
    ['of one byte repeated', Buffer.alloc(32, 7), 'is one byte repeated'],
    ['that is empty', '', 'is empty'],
    ['that is text with a newline', `${newRoot().toString('hex')}\n`, 'is text that ends with a newline'],
  ])('%s is refused', async (_, root, problem) => {
    expect(await refusal('', root)).toEqual([expect.stringContaining(`"k" ${problem}`)]);
  });

  it('that is not there is refused by the name of the field', async () => {
    const test = createTestStore({ yaml: 'keys: { k: { deriveFrom: root } }' });
    expect(await problemsOf(test.put({ roof: newRoot() }))).toEqual([
      '"k" needs a file ("deriveFrom") that is not there in the mounted secrets; did you mean "roof"?',
    ]);
  });

  it('may be as long as one likes, and as short as 32 bytes', async () => {
    for (const root of [newRoot(), Buffer.concat([newRoot(), randomBytes(500)])]) {
      const { keysOf } = await load('deriveFrom: root', { root });
      const expected = tagOf('HS256', derivedBytes(root, 'raw', 'acme'), message);
      expect(tagBy(keysOf('acme')[0].mac, message)).toEqual(expected);
    }
  });

  it('may be the text of a Standard Webhooks secret, since it is not the secret of that format', async () => {
    const root = `whsec_${newRoot().toString('base64')}`;
    const { keysOf } = await load('deriveFrom: root, format: standard-webhooks, encoding: text', { root });
    const expected = tagOf('HS256', derivedBytes(Buffer.from(root), 'standard-webhooks', 'a'), message);
    expect(tagBy(keysOf('a')[0].mac, message)).toEqual(expected);
  });

  it.each([
    ['another root', 'a: { deriveFrom: one }, b: { deriveFrom: two }'],
    [
      'another root of another format',
      'a: { deriveFrom: one, format: jwt }, b: { deriveFrom: two, format: github }',
    ],
    ['a key', 'a: { deriveFrom: one }, b: { file: two }'],
    ['the same file', 'a: { deriveFrom: one }, b: { deriveFrom: one, format: jwt }'],
    ['a key in the same file', 'a: { file: one, encoding: hex }, b: { deriveFrom: one, encoding: hex }'],
  ])('is refused beside %s that is the same', async (_, keySets) => {
    const root = newRoot();
    const content = keySets.includes('hex') ? root.toString('hex') : root;
    const test = createTestStore({ yaml: `keys: { ${keySets} }` });
    expect(await problemsOf(test.put({ one: content, two: content }))).toEqual([
      '"b" holds the same key as "a"; give each key set a key of its own',
    ]);
  });

  it('shows nothing of itself, nor of the keys it derives', async () => {
    const root = newRoot();
    const { store, keysOf } = await load('deriveFrom: root, allowExport: true', { root });
    const shown = JSON.stringify([store.current?.keySets.get('k'), keysOf('acme')]);
    expect(leaks(shown, root)).toEqual([]);
    expect(leaks(shown, derivedBytes(root, 'raw', 'acme'))).toEqual([]);
  });
});

describe('rotation', () => {
  it('by another file: the tenants get new keys at once, and their old ones verify for an hour', async () => {
    const [old, next] = [newRoot(), newRoot()];
    const { put, clocks, keysOf, store, reload } = await load('deriveFrom: root', { root: old });
    const tagsOf = () => keysOf('acme').map(({ mac }) => tagBy(mac, message));
    const expected = (root: Buffer) => tagOf('HS256', derivedBytes(root, 'raw', 'acme'), message);
    expect(tagsOf()).toEqual([expected(old)]);
    await put({ root: next });
    expect(tagsOf()).toEqual([expected(next), expected(old)]);
    clocks.advance(3600_000);
    await reload();
    expect(tagsOf()).toEqual([expected(next)]);
    store.drop();
  });

  it('of a JWK set: every root of it derives, the primary first', async () => {
    const roots = { a: newRoot(), b: newRoot() };
    const set = (primary: string, ...kids: ('a' | 'b')[]) =>
      JSON.stringify({
        primary,
        keys: kids.map((kid) => ({ kty: 'oct', kid, k: roots[kid].toString('base64url') })),
      });
    const { put, keySet, keysOf } = await load('deriveFrom: r.jwks.json', { 'r.jwks.json': set('a', 'a') });
    const tagsOf = () => keysOf('acme').map(({ mac }) => tagBy(mac, message).toString('hex'));
    const [a, b] = [roots.a, roots.b].map((root) =>
      tagOf('HS256', derivedBytes(root, 'raw', 'acme'), message).toString('hex'),
    );
    const ids = () => keySet().keys.map(({ id }) => id);
    expect([tagsOf(), ids()]).toEqual([[a], ['a']]);
    await put({ 'r.jwks.json': set('a', 'a', 'b') });
    expect([tagsOf(), ids()]).toEqual([
      [a, b],
      ['a', 'b'],
    ]);
    await put({ 'r.jwks.json': set('b', 'a', 'b') });
    expect([tagsOf(), ids()]).toEqual([
      [b, a],
      ['b', 'a'],
    ]);
    await put({ 'r.jwks.json': set('b', 'b') });
    expect([tagsOf(), ids()]).toEqual([[b], ['b']]);
  });

  it.each([
    ['a key of its own to derived ones', 'file: one', 'deriveFrom: two'],
    ['derived ones to a key of its own', 'deriveFrom: one', 'file: two'],
    ['a root to the same as a key', 'deriveFrom: one', 'file: one'],
    ['a key to the same as a root', 'file: one', 'deriveFrom: one'],
  ])('from %s retains nothing', async (_, before, after) => {
    const { configure, keySet } = await load(before, { one: newRoot(), two: newRoot() });
    await configure(`keys: { k: { ${after} } }`);
    expect(keySet().keys).toHaveLength(1);
    expect(keySet().retained).toEqual([]);
    expect(keySet().tenantKeys === undefined).toBe(after.startsWith('file'));
  });
});

describe('a derived key that is loaded as the key of another key set, too', () => {
  const bothIn = async (root: Buffer, file: Buffer, next?: Buffer) => {
    const test = createTestStore({ yaml: 'keys: { derived: { deriveFrom: root }, own: { file: own } }' });
    await test.put({ root, own: newRoot() });
    await test.put({ root: next ?? root, own: file });
    const tenantKeys = test.store.current?.keySets.get('derived')?.tenantKeys;
    if (tenantKeys === undefined) throw new Error('its keys are not derived');
    return tenantKeys;
  };

  it('is refused, and no other tenant is', async () => {
    const root = newRoot();
    const tenantKeys = await bothIn(root, derivedBytes(root, 'raw', 'acme'));
    expect(() => tenantKeys('acme')).toThrow('is loaded as the key of another key set');
    expect(() => tenantKeys('acme')).toThrow('is loaded as the key of another key set');
    expect(tenantKeys('globex')).toHaveLength(1);
  });

  it('is not taken for a verification by an earlier root', async () => {
    const root = newRoot();
    const tenantKeys = await bothIn(root, derivedBytes(root, 'raw', 'acme'), newRoot());
    expect([tenantKeys('acme'), tenantKeys('globex')].map((keys) => keys.length)).toEqual([1, 2]);
  });
});

describe('the keys that are kept', () => {
  /** Roots that count how often they derive. */
  const counting = (roots: number) => {
    let derivations = 0;
    const root: Root = {
      derive: (tenant) => {
        derivations++;
        return { key: { id: tenant }, fingerprints: [] } as unknown as LoadedKey;
      },
    };
    const [first = root, ...others] = Array.from({ length: roots }, () => root);
    const keysOf = createTenantKeys([first, ...others], () => true);
    return { keysOf, derivations: () => derivations / roots };
  };

  it.each([1, 2, 128])('with %i roots are so many as are allowed in all, those used last', (roots) => {
    const { keysOf, derivations } = counting(roots);
    const most = maxKeptKeys / roots;
    for (let index = 0; index < most; index++) keysOf(`t${index}`);
    for (let index = 0; index < most; index++) keysOf(`t${index}`);
    expect(derivations()).toBe(most);
    keysOf('t0');
    keysOf('another');
    expect(derivations()).toBe(most + 1);
    keysOf('t0');
    expect(derivations()).toBe(most + 1);
    keysOf('t1');
    expect(derivations()).toBe(most + 2);
  });
});
