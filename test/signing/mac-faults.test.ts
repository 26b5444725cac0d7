/**
 * What no input shows: that tags are compared in constant time, all of them, and that the runtime's own cryptography is
 * not taken at its word. The runtime's functions are watched, and made to fail.
 */

import crypto, { createHmac, randomBytes } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createMac, equalTags, hkdf } from '../../src/signing/mac.ts';
import { verifyTag } from '../../src/signing/verify-tag.ts';
import { inUse } from '../support/format.ts';
import { createTestStore, problemsOf } from '../support/keys.ts';

/** A function of the runtime under watch, wherever it has been imported. */
function watch(name: 'timingSafeEqual' | 'createHmac' | 'hkdfSync', instead?: () => unknown) {
  const spy = vi.spyOn(crypto, name);
  if (instead !== undefined) spy.mockImplementation(instead as never);
  syncBuiltinESMExports();
  return spy;
}
function restore() {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
}
afterEach(restore);

describe('the comparison of tags', () => {
  const tags = [randomBytes(32), randomBytes(32), randomBytes(32)] as const;

  it('is the runtime’s, which takes the same time for any content', () => {
    const comparison = watch('timingSafeEqual');
    expect(equalTags(tags[0], Buffer.from(tags[0]))).toBe(true);
    expect(equalTags(tags[0], tags[1])).toBe(false);
    expect(comparison).toHaveBeenCalledTimes(2);
  });

  const keys = tags.map((tag, index) => ({ id: `${index}`, mac: createMac('HS256', tag), tag }));

  it.each([0, 1, 2, -1])('is with all of them, if the one that equals is %i', (index) => {
    const comparison = watch('timingSafeEqual');
    const received = Buffer.from(tags[index] ?? randomBytes(32));
    expect(verifyTag(keys, [received], ({ tag }) => tag)).toEqual(
      index < 0
        ? { valid: false, reason: 'mismatch' }
        : { valid: true, keyId: `${index}`, primary: index === 0 },
    );
    expect(comparison).toHaveBeenCalledTimes(3);
  });

  it('finds the first of two keys that match', () => {
    expect(verifyTag(keys, [tags[2], tags[1]], ({ tag }) => tag)).toMatchObject({ keyId: '1' });
  });

  it('is with the candidates alone, and the primary stays that of the key set', () => {
    expect(verifyTag(keys, [tags[1]], ({ tag }) => tag, keys.slice(1))).toMatchObject({ primary: false });
    expect(verifyTag(keys, [tags[0]], ({ tag }) => tag, keys.slice(1))).toMatchObject({ valid: false });
    expect(verifyTag(keys, [tags[0]], ({ tag }) => tag, [])).toMatchObject({ valid: false });
  });

  it.each([0, 1, 2, -1])('of a webhook is of every signature with every key: key %i', (index) => {
    const secrets = tags;
    const hook = inUse('standard-webhooks', {}, { secrets, now: '2027-01-15T08:00:00Z' });
    const sign = (key: Uint8Array) =>
      createHmac('sha256', key).update('msg_1.1800000000.{}').digest('base64');
    const given = [secrets[index] ?? randomBytes(32), randomBytes(32), randomBytes(32)];
    const headers = {
      'webhook-id': 'msg_1',
      'webhook-timestamp': '1800000000',
      'webhook-signature': given.map((key) => `v1,${sign(key)}`).join(' '),
    };
    const comparison = watch('timingSafeEqual');
    expect(hook.verify({ body: '{}', headers }).valid).toBe(index >= 0);
    expect(comparison).toHaveBeenCalledTimes(9);
  });
});

describe('a runtime that computes another HMAC than it should', () => {
  it('loads no key', async () => {
    const { store, put } = createTestStore();
    const right = crypto.createHmac;
    watch('createHmac', () => right('sha256', 'another key'));
    expect(await problemsOf(put({ k: randomBytes(32) }))).toEqual([
      '"k" failed its self-test: two implementations of HMAC or HKDF disagree on this machine',
    ]);
    restore();
    await put({ k: randomBytes(32) });
    expect(store.current?.keySets.size).toBe(1);
  });
});

describe('a runtime that derives another key than it should', () => {
  const wrong = () => watch('hkdfSync', () => new ArrayBuffer(32));

  it('is found out', () => {
    const inputs = [randomBytes(32), Buffer.from('salt'), Buffer.from('info'), 32] as const;
    expect(hkdf(...inputs)).toHaveLength(32);
    wrong();
    expect(hkdf(...inputs)).toBeUndefined();
  });

  it('loads no root, and derives no key for a tenant', async () => {
    const root = randomBytes(32);
    const { store, put } = createTestStore({ yaml: 'keys: { k: { deriveFrom: root } }' });
    wrong();
    expect(await problemsOf(put({ root }))).toEqual([expect.stringContaining('failed its self-test')]);
    restore();
    await put({ root });
    const tenantKeys = store.current?.keySets.get('k')?.tenantKeys;
    wrong();
    expect(() => tenantKeys?.('acme')).toThrow('two implementations of a derivation disagree');
    restore();
    expect(tenantKeys?.('acme')).toHaveLength(1);
  });
});
