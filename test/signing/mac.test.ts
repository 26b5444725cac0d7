/** HMAC: the published vectors, an independent implementation, and a key that nobody can ask back. */

import { createHash, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { hkdf as independentHkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Algorithm,
  agreesWithOracle,
  algorithms,
  createMac,
  equalTags,
  hkdf,
  keyFingerprints,
  keyId,
  type Mac,
} from '../../src/signing/mac.ts';
import { leaks } from '../support/leaks.ts';
import { watchedStream } from '../support/mac-stream.ts';
import { readVectors } from '../support/vectors.ts';

interface Rfc4231 {
  readonly name: string;
  readonly key: string;
  readonly data: string;
  /** Fewer bytes than a tag has where the publication cuts it off. */
  readonly publishedBytes?: number;
  readonly tags: Readonly<Partial<Record<Algorithm, string>>>;
}

const names = Object.keys(algorithms) as Algorithm[];
const sha2 = ['HS256', 'HS384', 'HS512'] as const;
const algorithm = fc.constantFrom(...names);
const secret = fc.uint8Array({ minLength: 1, maxLength: 200 });

const tagOf = (mac: Mac, ...parts: readonly Uint8Array[]): Buffer => {
  const stream = mac.start();
  for (const part of parts) stream.update(part);
  return stream.digest();
};
const oracle = (name: Algorithm, key: Uint8Array, message: Uint8Array): Buffer =>
  Buffer.from(hmac(algorithms[name].noble, key, message));

describe.each(readVectors<Rfc4231>('rfc4231'))('RFC 4231 $name', ({ key, data, tags, publishedBytes }) => {
  it.each(sha2)('has the published tag with %s', (name) => {
    const tag = tagOf(createMac(name, Buffer.from(key, 'hex')), Buffer.from(data, 'hex'));
    expect(tag.toString('hex', 0, publishedBytes)).toBe(tags[name]);
  });
});

describe('a MAC', () => {
  it('equals that of an independent implementation, in however many parts the message comes', () => {
    fc.assert(
      fc.property(algorithm, secret, fc.array(fc.uint8Array({ maxLength: 150 })), (name, key, parts) => {
        const tag = tagOf(createMac(name, key), ...parts);
        expect(tag).toEqual(oracle(name, key, Buffer.concat(parts)));
      }),
      { numRuns: 150 },
    );
  });

  it('makes independent streams', () => {
    const mac = createMac('HS256', randomBytes(32));
    const [first, second] = [mac.start(), mac.start()];
    first.update(Buffer.from('a'));
    second.update(Buffer.from('b'));
    expect(first.digest()).toEqual(tagOf(mac, Buffer.from('a')));
    expect(second.digest()).toEqual(tagOf(mac, Buffer.from('b')));
  });

  it('stays the same when the caller overwrites the key bytes', () => {
    const key = randomBytes(32);
    const mac = createMac('HS256', key);
    const before = tagOf(mac, Buffer.from('message'));
    key.fill(0);
    expect(tagOf(mac, Buffer.from('message'))).toEqual(before);
  });

  it.each([16, 32, 64, 65, 200])('shows nothing of a key of %i bytes, however it is printed', (length) => {
    const key = randomBytes(length);
    const mac = createMac('HS512', key);
    const stream = mac.start();
    for (const value of [mac, stream, mac.start]) {
      const printed = inspect(value, { showHidden: true, depth: 20, maxArrayLength: 1000, getters: true });
      expect(leaks(printed, key)).toEqual([]);
      expect(leaks(JSON.stringify(value) ?? '', key)).toEqual([]);
      expect(leaks(String(value), key)).toEqual([]);
    }
  });
});

describe('a key id', () => {
  it('is the first 8 bytes of the HMAC of a fixed text, so it is the same on every replica', () => {
    fc.assert(
      fc.property(secret, (key) => {
        const tag = Buffer.from(hmac(sha256, key, Buffer.from('sidecar-signer key id')));
        expect(keyId(key)).toBe(tag.subarray(0, 8).toString('hex'));
      }),
    );
  });

  it('does not change from one version of the program to the next', () => {
    // printf 'sidecar-signer key id' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0b0b…0b (20 bytes, as in RFC 4231)
    expect(keyId(Buffer.alloc(20, 0x0b))).toBe('33b58ab9e9456469');
  });
});

describe('equalTags', () => {
  const tag = randomBytes(32);

  it('is true for the same bytes', () => {
    expect(equalTags(tag, Buffer.from(tag))).toBe(true);
  });

  it('is false for a tag with any one bit flipped', () => {
    for (let bit = 0; bit < tag.length * 8; bit++) {
      const flipped = Buffer.from(tag);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(equalTags(tag, flipped)).toBe(false);
    }
  });

  it.each([0, 1, 16, 31, 33, 64])('is false, and does not throw, for a tag of %i bytes', (length) => {
    const other = Buffer.concat([tag, tag]).subarray(0, length);
    expect(equalTags(tag, other)).toBe(false);
    expect(equalTags(other, tag)).toBe(false);
  });
});

describe('the self-test of a key', () => {
  it.each(names)('passes for %s with keys below, at and above a block', (name) => {
    const { blockBytes } = algorithms[name];
    for (const length of [1, 16, blockBytes - 1, blockBytes, blockBytes + 1, 3 * blockBytes]) {
      const key = randomBytes(length);
      expect(agreesWithOracle(createMac(name, key), key)).toBe(true);
    }
  });

  it('fails for a MAC by another key', () => {
    const key = randomBytes(32);
    expect(agreesWithOracle(createMac('HS256', randomBytes(32)), key)).toBe(false);
  });

  it('fails for a MAC by another algorithm, of the same length or not', () => {
    const key = randomBytes(32);
    const mac = createMac('HS512', key);
    expect(agreesWithOracle({ ...mac, algorithm: 'HS256' }, key)).toBe(false);
    expect(agreesWithOracle({ ...mac, algorithm: 'HS384' }, key)).toBe(false);
  });

  it('fails for a MAC that leaves out the last byte of what it is given', () => {
    const key = randomBytes(32);
    const mac = createMac('HS256', key);
    const shortened: Mac = {
      ...mac,
      start: () => watchedStream(mac.start(), { onPart: (part) => part.slice(0, -1) }),
    };
    expect(agreesWithOracle(shortened, key)).toBe(false);
  });
});

describe('key fingerprints', () => {
  const share = (name: Algorithm, a: Uint8Array, b: Uint8Array) =>
    keyFingerprints(name, a).some((fingerprint) => keyFingerprints(name, b).includes(fingerprint));
  const zeros = (count: number) => Buffer.alloc(count);
  const hashed = (name: Algorithm, key: Uint8Array) => createHash(algorithms[name].hash).update(key).digest();
  /** A secret, and one that HMAC may or may not take for the same. */
  const pairs = fc
    .tuple(algorithm, secret, secret, fc.nat({ max: 140 }), fc.nat())
    .chain(([name, key, other, padding, at]) => {
      const flipped = Buffer.from(key);
      flipped.writeUInt8(flipped.readUInt8(at % key.length) ^ 1, at % key.length);
      const variants: Uint8Array[] = [
        key,
        other,
        flipped,
        Buffer.concat([key, zeros(padding)]),
        Buffer.concat([zeros(1), key]),
        hashed(name, key),
        Buffer.concat([hashed(name, key), zeros(padding)]),
      ];
      return fc.constantFrom(...variants).map((variant) => ({ name, key, variant }));
    });

  it('are shared exactly by the secrets that are the same key to HMAC (RFC 2104 §2)', () => {
    fc.assert(
      fc.property(pairs, ({ name, key, variant }) => {
        const message = Buffer.from('message');
        const same = oracle(name, key, message).equals(oracle(name, variant, message));
        expect(share(name, key, variant)).toBe(same);
      }),
      { numRuns: 600 },
    );
  });

  it.each(sha2)('are shared by a key and its padding up to a block of %s, and not beyond', (name) => {
    const { blockBytes } = algorithms[name];
    const key = randomBytes(blockBytes - 2);
    expect(share(name, key, Buffer.concat([key, zeros(2)]))).toBe(true);
    expect(share(name, key, Buffer.concat([key, zeros(3)]))).toBe(false);
  });

  it.each(sha2)('are shared by a key over a block of %s and its hash', (name) => {
    const { blockBytes } = algorithms[name];
    const [long, short] = [randomBytes(blockBytes + 1), randomBytes(blockBytes)];
    expect(share(name, long, hashed(name, long))).toBe(true);
    expect(share(name, short, hashed(name, short))).toBe(false);
  });

  it('are shared by the same bytes under two algorithms, whatever their blocks', () => {
    fc.assert(
      fc.property(secret, algorithm, algorithm, fc.boolean(), (key, one, another, padded) => {
        const bytes = padded ? Buffer.concat([key, zeros(1)]) : key;
        expect(
          keyFingerprints(one, bytes).some((fingerprint) =>
            keyFingerprints(another, bytes).includes(fingerprint),
          ),
        ).toBe(true);
      }),
    );
  });

  it('tell nothing of the key', () => {
    const key = randomBytes(100);
    expect(leaks(keyFingerprints('HS256', key).join(), key)).toEqual([]);
    expect(keyFingerprints('HS256', key).join()).not.toContain(
      createHash('sha256').update(key).digest('base64'),
    );
  });
});

interface Rfc5869 {
  readonly name: string;
  readonly ikm: string;
  readonly salt: string;
  readonly info: string;
  readonly length: number;
  readonly okm: string;
}

describe.each(readVectors<Rfc5869>('rfc5869'))('RFC 5869 $name', ({ ikm, salt, info, length, okm }) => {
  it('has the published output', () => {
    const [secret, salted, purpose] = [ikm, salt, info].map((hex) => Buffer.from(hex, 'hex'));
    if (secret === undefined || salted === undefined || purpose === undefined) throw new Error('no input');
    expect(hkdf(secret, salted, purpose, length)?.toString('hex')).toBe(okm);
  });
});

describe('HKDF', () => {
  it('is what an independent implementation computes, whatever the length of its inputs', () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(secret, bytes, bytes, fc.constantFrom(32, 48, 64), (ikm, salt, info, length) => {
        const derived = hkdf(ikm, salt, info, length);
        expect(derived).toEqual(Buffer.from(independentHkdf(sha256, ikm, salt, info, length)));
      }),
      { numRuns: 100 },
    );
  });
});
