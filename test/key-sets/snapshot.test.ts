import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { maxRetainedKeys, nextSnapshot } from '../../src/key-sets/snapshot.ts';
import { createSigner, findKeySet } from '../../src/signer.ts';
import type { Algorithm } from '../../src/signing/mac.ts';
import { createTestStore, manualClocks, tagOf } from '../support/keys.ts';

const hour = 3600_000;
const newKey = () => Buffer.concat([Buffer.of(0), randomBytes(31)]);

/** A store with one raw key set `k`, and what its keys do, as a caller sees it. */
function open(fields = '') {
  const clocks = manualClocks();
  const yaml = (each: string) => `keys: { k: { ${each} } }`;
  const { store, put, configure } = createTestStore({ yaml: yaml(fields), clocks });
  let latest = fields;
  const signer = createSigner(clocks);
  const keySet = () => {
    if (store.current === undefined) throw new Error('nothing is loaded');
    return findKeySet(store.current, 'k', 'tcp');
  };
  return {
    store,
    clocks,
    keySet,
    put: (content: string | Uint8Array) => put({ k: content }),
    configure: (each: string) => {
      latest = each;
      return configure(yaml(each));
    },
    /** Makes another snapshot of the same keys. */
    reload: () => configure(yaml(latest)),
    signsWith: (key: Uint8Array, algorithm: Algorithm = 'HS256') => {
      const answer = signer.authorize(keySet(), 'sign', 'tcp').carryOut({ message: 'm' });
      return 'signature' in answer && answer.signature === tagOf(algorithm, key, 'm').toString('hex');
    },
    verifies: (key: Uint8Array, algorithm: Algorithm = 'HS256') => {
      const signature = tagOf(algorithm, key, 'm').toString('hex');
      const answer = signer.authorize(keySet(), 'verify', 'tcp').carryOut({ message: 'm', signature });
      return 'valid' in answer && answer.valid === true;
    },
  };
}

describe('a replaced file', () => {
  it('signs with the new key at once, and the old one verifies for an hour', async () => {
    const { put, clocks, signsWith, verifies, reload } = open();
    const [old, next] = [newKey(), newKey()];
    await put(old);
    await put(next);
    expect([signsWith(next), verifies(next), verifies(old)]).toEqual([true, true, true]);
    clocks.advance(hour - 1);
    await reload();
    expect(verifies(old)).toBe(true);
    clocks.advance(1);
    await reload();
    expect([verifies(old), verifies(next)]).toEqual([false, true]);
  });

  it('is answered for with the id of the key that matched, and whether it is the primary', async () => {
    const { put, keySet } = open();
    const [old, next] = [newKey(), newKey()];
    await put(old);
    const [oldId] = keySet().keys.map(({ id }) => id);
    await put(next);
    const verify = (key: Uint8Array) =>
      createSigner(manualClocks())
        .authorize(keySet(), 'verify', 'tcp')
        .carryOut({
          message: 'm',
          signature: tagOf('HS256', key, 'm').toString('hex'),
        });
    expect(verify(old)).toEqual({ valid: true, keyId: oldId, primary: false });
    expect(verify(next)).toMatchObject({ valid: true, primary: true });
  });

  it('is retained through several rotations, each key for its own time, newest first', async () => {
    const { put, clocks, keySet, reload } = open();
    const keys = Array.from({ length: 4 }, newKey);
    const ids: (string | undefined)[] = [];
    for (const key of keys) {
      await put(key);
      ids.push(keySet().keys[0].id);
      clocks.advance(hour / 2);
    }
    // Replaced after 30, 60 and 90 minutes; it is 120 minutes now.
    await reload();
    expect(keySet().keys.map(({ id }) => id)).toEqual([ids[3], ids[2]]);
  });

  it('can come back: it is the primary, and stands in no second place', async () => {
    const { put, keySet, signsWith, verifies } = open();
    const [a, b] = [newKey(), newKey()];
    for (const key of [a, b, a, b, a]) await put(key);
    expect(keySet().keys).toHaveLength(2);
    expect([signsWith(a), verifies(b)]).toEqual([true, true]);
  });

  it('begins its time anew when it is replaced anew', async () => {
    const { put, clocks, verifies, reload } = open();
    const [a, b] = [newKey(), newKey()];
    await put(a);
    await put(b);
    clocks.advance(hour - 1);
    await put(a);
    await put(b);
    clocks.advance(hour - 1);
    await reload();
    expect(verifies(a)).toBe(true);
  });

  it('does not begin its time anew when something else is reloaded', async () => {
    const { put, configure, clocks, verifies, reload } = open();
    const [old, next] = [newKey(), newKey()];
    await put(old);
    await put(next);
    clocks.advance(hour / 2);
    await reload();
    await configure('maxMessageBytes: 100');
    clocks.advance(hour / 2);
    await reload();
    expect(verifies(old)).toBe(false);
  });

  it(`keeps the newest ${maxRetainedKeys}`, async () => {
    const { put, keySet, verifies } = open();
    const keys = Array.from({ length: maxRetainedKeys + 2 }, newKey);
    for (const key of keys) await put(key);
    expect(keySet().keys).toHaveLength(maxRetainedKeys + 1);
    expect([keys[0], keys[1]].map((key) => key !== undefined && verifies(key))).toEqual([false, true]);
  });

  it('is a memory of this process alone', async () => {
    const [old, next] = [newKey(), newKey()];
    const before = open();
    await before.put(old);
    await before.put(next);
    const after = open();
    await after.put(next);
    expect([before.verifies(old), after.verifies(old)]).toEqual([true, false]);
  });

  it('is not retained when it is the same key in another spelling', async () => {
    const { put, keySet } = open();
    const key = newKey();
    await put(key);
    await put(Buffer.concat([key, Buffer.alloc(4)])); // padded, as HMAC does it
    expect(keySet().keys).toHaveLength(1);
  });

  it('is gone with its key set, and stays gone when that comes back', async () => {
    const { store, put } = createTestStore();
    const [old, next] = [newKey(), newKey()];
    await put({ k: old, other: newKey() });
    await put({ k: next, other: newKey() });
    expect(store.current?.keySets.get('k')?.keys).toHaveLength(2);
    await put({ other: newKey() });
    expect(store.current?.keySets.has('k')).toBe(false);
    await put({ k: next });
    expect(store.current?.keySets.get('k')?.keys).toHaveLength(1);
  });

  it('does not verify where another key set has it now', async () => {
    const { store, put } = createTestStore();
    const [a, b, c] = [newKey(), newKey(), newKey()];
    await put({ one: a, two: b });
    await put({ one: c, two: a });
    const keysOf = (name: string) => store.current?.keySets.get(name)?.keys.length;
    expect([keysOf('one'), keysOf('two')]).toEqual([1, 2]);
  });

  it('does not verify in either key set when they exchange their keys', async () => {
    const { store, put } = createTestStore();
    const [a, b] = [newKey(), newKey()];
    await put({ one: a, two: b });
    await put({ one: b, two: a });
    expect([...(store.current?.keySets.values() ?? [])].map(({ keys }) => keys.length)).toEqual([1, 1]);
  });
});

describe('retainPreviousSeconds', () => {
  it('0 ends the old key at once', async () => {
    const { put, verifies } = open('retainPreviousSeconds: 0');
    const [old, next] = [newKey(), newKey()];
    await put(old);
    await put(next);
    expect([verifies(old), verifies(next)]).toEqual([false, true]);
  });

  it.each([1, 86_400, 4_000_000])('%i lasts so long', async (seconds) => {
    const { put, clocks, verifies, reload } = open(`retainPreviousSeconds: ${seconds}`);
    const [old, next] = [newKey(), newKey()];
    await put(old);
    await put(next);
    clocks.advance(seconds * 1000 - 1);
    await reload();
    expect(verifies(old)).toBe(true);
    clocks.advance(1);
    await reload();
    expect(verifies(old)).toBe(false);
  });

  it('that is shortened ends a key that was replaced before, for a key that has leaked', async () => {
    const { put, configure, verifies } = open('retainPreviousSeconds: 86400');
    const [old, next] = [newKey(), newKey()];
    await put(old);
    await put(next);
    expect(verifies(old)).toBe(true);
    await configure('retainPreviousSeconds: 0');
    expect(verifies(old)).toBe(false);
  });

  it('that is lengthened holds for a key that was replaced before', async () => {
    const { put, configure, clocks, verifies, reload } = open('retainPreviousSeconds: 60');
    const [old, next] = [newKey(), newKey()];
    await put(old);
    await put(next);
    await configure('retainPreviousSeconds: 120');
    clocks.advance(119_999);
    await reload();
    expect(verifies(old)).toBe(true);
  });

  it.each([
    ['back by a day', -24 * hour],
    ['ahead by a day', 24 * hour],
  ])('does not depend on a clock that is set %s', async (_, step) => {
    const { put, clocks, verifies, reload } = open();
    const [old, next] = [newKey(), newKey()];
    await put(old);
    await put(next);
    clocks.setNow(clocks.now() + step);
    clocks.advance(hour - 1);
    await reload();
    expect(verifies(old)).toBe(true);
    clocks.advance(1);
    await reload();
    expect(verifies(old)).toBe(false);
  });
});

describe('a JWK set', () => {
  const jwk = (kid: string, key: Buffer) => ({ kty: 'oct', kid, k: key.toString('base64url') });
  const set = (primary: string, keys: Record<string, Buffer>) =>
    JSON.stringify({ primary, keys: Object.entries(keys).map(([kid, key]) => jwk(kid, key)) });

  it('is rotated without a break: add, promote, remove', async () => {
    const { put, signsWith, verifies } = open('encoding: jwks');
    const [a, b] = [newKey(), newKey()];
    await put(set('a', { a }));
    await put(set('a', { a, b }));
    expect([signsWith(a), verifies(a), verifies(b)]).toEqual([true, true, true]);
    await put(set('b', { a, b }));
    expect([signsWith(b), verifies(a), verifies(b)]).toEqual([true, true, true]);
    await put(set('b', { b }));
    expect([signsWith(b), verifies(a), verifies(b)]).toEqual([true, false, true]);
  });

  it('ends a disabled key at once', async () => {
    const { put, verifies } = open('encoding: jwks');
    const [a, b] = [newKey(), newKey()];
    await put(set('a', { a, b }));
    await put(JSON.stringify({ primary: 'a', keys: [jwk('a', a), { ...jwk('b', b), disabled: true }] }));
    expect(verifies(b)).toBe(false);
  });

  it('in the place of a plain file says alone which keys verify', async () => {
    const { put, configure, verifies } = open('encoding: bytes');
    const [plain, a] = [newKey(), newKey()];
    await put(plain);
    await Promise.allSettled([configure('encoding: jwks'), put(set('a', { a }))]);
    expect([verifies(plain), verifies(a)]).toEqual([false, true]);
  });

  it('is retained as a whole when a plain file takes its place', async () => {
    const { put, configure, verifies, signsWith } = open('encoding: jwks');
    const [plain, a, b] = [newKey(), newKey(), newKey()];
    await put(set('a', { a, b }));
    await Promise.allSettled([configure('encoding: bytes'), put(plain)]);
    expect([signsWith(plain), verifies(a), verifies(b)]).toEqual([true, true, true]);
  });
});

describe('another algorithm', () => {
  it('of the same key ends what the key has signed with the old one', async () => {
    const { put, configure, signsWith, verifies } = open();
    const key = newKey();
    await put(key);
    await configure('algorithm: HS512');
    expect([signsWith(key, 'HS512'), verifies(key, 'HS512'), verifies(key, 'HS256')]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('after another key lets the old one verify with its own algorithm', async () => {
    const { put, configure, signsWith, verifies } = open();
    const [old, next] = [newKey(), newKey()];
    await put(old);
    await put(next);
    await configure('algorithm: HS512');
    expect(signsWith(next, 'HS512')).toBe(true);
    expect([verifies(old, 'HS256'), verifies(old, 'HS512')]).toEqual([true, false]);
    expect(verifies(next, 'HS256')).toBe(false);
  });
});

describe('another format', () => {
  it('ends what was signed in the old one: there, the same bytes could mean something else', async () => {
    const { store, put, clocks } = open();
    await put(newKey());
    const before = store.current;
    await put(newKey());
    const after = store.current?.keySets.get('k');
    if (before === undefined || after === undefined) throw new Error('nothing is loaded');
    const next = (name: 'raw' | 'cookie') => {
      const settings = { ...after.settings, format: { ...after.settings.format, name } };
      return nextSnapshot(
        before,
        [{ name: 'k', settings, keys: after.loaded, warnings: [], notes: [] }],
        clocks,
      );
    };
    expect((await next('raw')).keySets.get('k')?.keys).toHaveLength(2);
    expect((await next('cookie')).keySets.get('k')?.keys).toHaveLength(1);
  });
});

describe('a snapshot', () => {
  it('says since when its primary is the primary', async () => {
    const { put, configure, clocks, keySet } = open('encoding: bytes');
    const [a, b] = [newKey(), newKey()];
    const began = clocks.now();
    await put(a);
    clocks.advance(hour);
    await put(a);
    await configure('maxMessageBytes: 9');
    expect(keySet().since.getTime()).toBe(began);
    clocks.advance(hour);
    await put(b);
    expect(keySet().since.getTime()).toBe(began + 2 * hour);
    clocks.advance(hour);
    await put(a);
    expect(keySet().since.getTime()).toBe(began + 3 * hour);
  });

  it('counts each load, and tells when it was', async () => {
    const { store, put, clocks } = open();
    for (const generation of [1, 2, 3]) {
      clocks.advance(hour);
      await put(newKey());
      expect(store.current).toMatchObject({ generation, loadedAt: new Date(clocks.now()) });
    }
  });

  it('does not change for who holds it', async () => {
    const { store, put, keySet } = open();
    await put(newKey());
    const held = store.current;
    const [keys, generation] = [keySet().keys, held?.generation];
    await put(newKey());
    expect(held?.keySets.get('k')?.keys).toBe(keys);
    expect(held?.generation).toBe(generation);
    expect(store.current).not.toBe(held);
  });

  it('has its key sets in the order of their names', async () => {
    const { store, put } = createTestStore({ yaml: 'keys: { b: , a: , B: , .c: }' });
    await put({ a: newKey(), b: newKey(), B: newKey(), '.c': newKey() });
    expect([...(store.current?.keySets.keys() ?? [])]).toEqual(['.c', 'B', 'a', 'b']);
  });
});
