/**
 * The only place that computes HMAC (RFC 2104). Key bytes go in, a key with its MAC comes out; nobody can ask it for
 * the bytes again.
 */

import {
  createHash,
  createHmac,
  createSecretKey,
  hash,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { hkdf as nobleHkdf } from '@noble/hashes/hkdf.js';
import { hmac as nobleHmac } from '@noble/hashes/hmac.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { sha3_256, sha3_384, sha3_512 } from '@noble/hashes/sha3.js';

/** HMAC with SHA-2 by its JWA names (RFC 7518 §3.2), and with SHA-3 (FIPS 202 §7), which has none. */
export const algorithms = {
  HS256: { hash: 'sha256', blockBytes: 64, noble: sha256 },
  HS384: { hash: 'sha384', blockBytes: 128, noble: sha384 },
  HS512: { hash: 'sha512', blockBytes: 128, noble: sha512 },
  'HMAC-SHA3-256': { hash: 'sha3-256', blockBytes: 136, noble: sha3_256 },
  'HMAC-SHA3-384': { hash: 'sha3-384', blockBytes: 104, noble: sha3_384 },
  'HMAC-SHA3-512': { hash: 'sha3-512', blockBytes: 72, noble: sha3_512 },
} as const;

export type Algorithm = keyof typeof algorithms;

/** The length of a tag, which is that of a key of full strength (RFC 2104 §3). */
export function tagBytes(algorithm: Algorithm): number {
  return algorithms[algorithm].noble.outputLen;
}

export const algorithmNames = Object.keys(algorithms) as unknown as readonly [Algorithm, ...Algorithm[]];

/** A tag in the making: feed it the message in any number of parts, then take the tag once. */
export interface MacStream {
  update(part: Uint8Array): unknown;
  digest(): Buffer;
}

/** An HMAC bound to one key and one algorithm. */
export interface Mac {
  readonly algorithm: Algorithm;
  start(): MacStream;
  /** An HMAC of the same algorithm whose key is the tag of this message. */
  derive(message: Uint8Array): Mac;
}

/** A key as everything above this file sees it: a public id and what it can compute. */
export interface Key {
  /**
   * The same on every replica that has the same key bytes, unless the key is weak: then each process has an id of its
   * own, which tells nothing of the key.
   */
  readonly id: string;
  readonly mac: Mac;
}

/** The caller may overwrite `secret` afterwards. */
export function createMac(algorithm: Algorithm, secret: Uint8Array): Mac {
  const { hash: hashName, blockBytes } = algorithms[algorithm];
  // RFC 2104 §2: a key over a block is hashed first; doing it here spares each request that work.
  const hashed = secret.length > blockBytes ? hash(hashName, secret, 'buffer') : undefined;
  const key = createSecretKey(hashed ?? secret);
  hashed?.fill(0);
  return {
    algorithm,
    start: () => createHmac(hashName, key),
    derive: (message) => {
      const tag = createHmac(hashName, key).update(message).digest();
      const derived = createMac(algorithm, tag);
      tag.fill(0);
      return derived;
    },
  };
}

/** The first 8 bytes of HMAC-SHA-256(key, "sidecar-signer key id"), in hex. */
export function keyId(secret: Uint8Array): string {
  return createHmac('sha256', secret).update('sidecar-signer key id').digest().toString('hex', 0, 8);
}

/** An id that tells nothing of the key, for one that could be guessed: the same as long as this process lives. */
export function processKeyId(secret: Uint8Array): string {
  return createHmac('sha256', salt).update(keyId(secret)).digest().toString('hex', 0, 8);
}

/** The tag of a message that is there at once. */
export function tagOf(mac: Mac, ...parts: readonly Uint8Array[]): Buffer {
  const stream = mac.start();
  for (const part of parts) stream.update(part);
  return stream.digest();
}

/** Compares two tags in a time that does not depend on their content. Unequal lengths are unequal tags. */
export function equalTags(expected: Uint8Array, given: Uint8Array): boolean {
  return expected.length === given.length && timingSafeEqual(expected, given);
}

/** The index of the first tag that equals `given`, or -1. Compares all of them, so that the time does not tell which. */
export function indexOfTag(tags: readonly Uint8Array[], given: Uint8Array): number {
  return tags.map((tag) => equalTags(tag, given)).indexOf(true);
}

/** Whether an independent implementation computes the same tag with these key bytes. */
export function agreesWithOracle(mac: Mac, secret: Uint8Array): boolean {
  const message = new TextEncoder().encode('sidecar-signer self-test');
  const stream = mac.start();
  stream.update(message);
  return equalTags(nobleHmac(algorithms[mac.algorithm].noble, secret, message), stream.digest());
}

/**
 * HKDF-SHA-256 (RFC 5869): `length` bytes that are as good as a key of their own for each `info`. The caller may
 * overwrite `secret` afterwards.
 * @returns undefined when two implementations disagree
 */
export function hkdf(
  secret: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
): Buffer | undefined {
  const derived = Buffer.from(hkdfSync('sha256', secret, salt, info, length));
  const independent = nobleHkdf(sha256, secret, salt, info, length);
  const agree = equalTags(independent, derived);
  independent.fill(0);
  return agree ? derived : undefined;
}

/**
 * Marks for finding one key under two names: two secrets share one if they are the same bytes, or the same key to HMAC,
 * which pads a key with zeros to a block and hashes a longer one first (RFC 2104 §2). Meaningless outside this process.
 */
export function keyFingerprints(algorithm: Algorithm, secret: Uint8Array): readonly string[] {
  const { hash: hashName, blockBytes } = algorithms[algorithm];
  if (secret.length <= blockBytes) return [fingerprintOf(secret), fingerprintOf(withoutPadding(secret))];
  const hashed = hash(hashName, secret, 'buffer');
  const fingerprints = [fingerprintOf(secret), fingerprintOf(withoutPadding(hashed))];
  hashed.fill(0);
  return fingerprints;
}

const salt = randomBytes(32);

function fingerprintOf(bytes: Uint8Array): string {
  return createHash('sha256').update(salt).update(bytes).digest('base64');
}

function withoutPadding(key: Uint8Array): Uint8Array {
  let length = key.length;
  while (length > 0 && key[length - 1] === 0) length--;
  return key.subarray(0, length);
}
