/** Keys of a format that prefixes its secrets, and key sets that change their format: one secret, one use. */

import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { KeyStore } from '../../src/key-sets/store.ts';
import { createMac, keyId, tagOf } from '../../src/signing/mac.ts';
import * as keys from '../support/keys.ts';

const secret = randomBytes(30).toString('base64');
const message = Buffer.from('message');
const aws =
  'format: aws-sigv4, aws-sigv4: { accessKeyId: AKIDEXAMPLE, services: [s3], regions: [us-east-1] }';

/** A store with these files and these key sets, each by its fields in YAML. */
async function load(
  files: Readonly<Record<string, string>>,
  keySets: Readonly<Record<string, string>>,
): Promise<{ store: KeyStore; update: typeof update }> {
  const configurationOf = (each: Readonly<Record<string, string>>) =>
    keys.configurationOf(
      `keys:\n${Object.entries(each)
        .map(([name, fields]) => `  ${name}: { ${fields} }\n`)
        .join('')}`,
    );
  const reading = (each: Readonly<Record<string, string>>) => ({
    files: new Map(Object.entries(each).map(([name, text]) => [name, Buffer.from(text)])),
  });
  const store = keys.createKeyStoreOfTest({
    directories: ['keys'],
    configuration: configurationOf(keySets),
    variable: () => undefined,
  });
  const update = async (
    next: Readonly<Record<string, string>>,
    nextKeySets: Readonly<Record<string, string>>,
  ) => {
    await keys.load(store, 'keys', reading(next));
    await keys.configure(store, configurationOf(nextKeySets));
  };
  await keys.load(store, 'keys', reading(files));
  return { store, update };
}

const macOf = (store: KeyStore, name: string) => {
  const key = store.current?.keySets.get(name)?.keys[0];
  if (key === undefined) throw new Error(`no key set ${name}`);
  return key;
};

describe('the key of a format with a prefix', () => {
  it('has the prefix in its bytes, and the id of the file', async () => {
    const { store } = await load({ a: secret }, { a: aws });
    const { id, mac } = macOf(store, 'a');
    expect(id).toBe(keyId(Buffer.from(secret)));
    expect(tagOf(mac, message)).toEqual(tagOf(createMac('HS256', Buffer.from(`AWS4${secret}`)), message));
  });

  it.each([
    ['the secret itself', secret],
    ['the prefix and the secret', `AWS4${secret}`],
    ['the secret and zeros', `${secret}\0\0`],
  ])('is refused beside a raw key that holds %s', async (_, raw) => {
    const loading = load({ a: secret, b: raw }, { a: aws, b: 'format: raw' });
    await expect(loading).rejects.toThrow('holds the same key as');
  });

  it('is refused beside another of its format that holds the prefix and the secret', async () => {
    const loading = load({ a: secret, b: `AWS4${secret}` }, { a: aws, b: aws });
    await expect(loading).rejects.toThrow('holds the same key as');
  });

  it('is another key when the file comes to hold the prefix as well', async () => {
    const { store, update } = await load({ a: secret }, { a: aws });
    await update({ a: `AWS4${secret}` }, { a: aws });
    const expected = createMac('HS256', Buffer.from(`AWS4AWS4${secret}`));
    expect(tagOf(macOf(store, 'a').mac, message)).toEqual(tagOf(expected, message));
  });
});

describe('a key set that changes its format', () => {
  it('takes the prefix of the new one', async () => {
    const { store, update } = await load({ a: secret }, { a: 'format: raw' });
    await update({ a: secret }, { a: aws });
    const expected = createMac('HS256', Buffer.from(`AWS4${secret}`));
    expect(tagOf(macOf(store, 'a').mac, message)).toEqual(tagOf(expected, message));
  });

  it('keeps no earlier key, which has signed for the other format', async () => {
    const { store, update } = await load({ a: secret }, { a: 'format: raw' });
    await update({ a: secret, b: randomBytes(32).toString('hex') }, { a: 'format: http-signature, file: b' });
    expect(store.current?.keySets.get('a')?.keys).toHaveLength(1);
  });

  it('keeps the earlier key while the format stays', async () => {
    const { store, update } = await load({ a: secret }, { a: 'format: raw' });
    await update({ a: secret, b: randomBytes(32).toString('hex') }, { a: 'format: raw, file: b' });
    expect(store.current?.keySets.get('a')?.keys).toHaveLength(2);
  });
});
