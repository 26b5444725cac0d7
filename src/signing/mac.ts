/**
 * The only file that computes HMAC (RFC 2104). It turns key bytes into a `Mac`, from which the bytes cannot be read back.
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
import { sha1 } from '@noble/hashes/legacy.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { sha3_256, sha3_384, sha3_512 } from '@noble/hashes/sha3.js';
import type { BytesEncoding } from '../api/encodings.ts';

/** HMAC with SHA-2 under its JWA names (RFC 7518 §3.2), and with hashes for which JWA has no names: SHA-3 (FIPS 202 §7), SHA-1. */
export const algorithms = {
  HS256: { hash: 'sha256', blockBytes: 64, noble: sha256 },
  HS384: { hash: 'sha384', blockBytes: 128, noble: sha384 },
  HS512: { hash: 'sha512', blockBytes: 128, noble: sha512 },
  'HMAC-SHA3-256': { hash: 'sha3-256', blockBytes: 136, noble: sha3_256 },
  'HMAC-SHA3-384': { hash: 'sha3-384', blockBytes: 104, noble: sha3_384 },
  'HMAC-SHA3-512': { hash: 'sha3-512', blockBytes: 72, noble: sha3_512 },
  // Only for webhooks of providers that have nothing better.
  'HMAC-SHA1': { hash: 'sha1', blockBytes: 64, noble: sha1 },
} as const;

export type Algorithm = keyof typeof algorithms;

/** The length of a tag. A key should be at least as long (RFC 2104 §3). */
export function tagBytes(algorithm: Algorithm): number {
  return algorithms[algorithm].noble.outputLen;
}

export const algorithmNames = Object.keys(algorithms) as unknown as readonly [Algorithm, ...Algorithm[]];

/** Those for new signatures: without SHA-1. */
export const currentAlgorithms = algorithmNames.filter(
  (name) => name !== 'HMAC-SHA1',
) as unknown as readonly [Algorithm, ...Algorithm[]];

/**
 * A part of a message, or all of it. A string stands for its UTF-8 bytes: the runtime hashes it without a copy, which would
 * cost as much as the tag of a short message.
 */
export type MessagePart = Uint8Array | string;

/** Computes one tag: call `update` with each part of the message, then `digest` once, for the bytes of the tag or their text. */
export interface MacStream {
  update(part: MessagePart): unknown;
  digest(): Buffer;
  digest(encoding: BytesEncoding): string;
}

/** An HMAC bound to one key and one algorithm. */
export interface Mac {
  readonly algorithm: Algorithm;
  start(): MacStream;
  /** An HMAC of the same algorithm whose key is the tag of this message. */
  derive(message: MessagePart): Mac;
}

/** A key as the rest of the program sees it: a public id, and what the key can compute. */
export interface Key {
  /**
   * The same on all replicas that have the same key bytes. A weak key has a different id in each process, because a
   * stable id would help to guess the key.
   */
  readonly id: string;
  readonly mac: Mac;
}

/** Creates the HMAC of a key. The caller may overwrite `secret` afterwards. */
export function createMac(algorithm: Algorithm, secret: Uint8Array): Mac {
  const { hash: hashName, blockBytes } = algorithms[algorithm];
  // RFC 2104 §2 hashes a key that is longer than a block. Doing it here saves that work for each request.
  const hashed = secret.length > blockBytes ? hash(hashName, secret, 'buffer') : undefined;
  const start = starter(hashName, hashed ?? secret);
  hashed?.fill(0);
  return {
    algorithm,
    start,
    derive: (message) => {
      const stream = start();
      stream.update(message);
      const tag = stream.digest();
      const derived = createMac(algorithm, tag);
      tag.fill(0);
      return derived;
    },
  };
}

/**
 * On Bun, each tag starts from a copy of a prepared state, which costs a third of a new HMAC. Node, which runs the unit
 * tests, has no such copy.
 */
function starter(hashName: (typeof algorithms)[Algorithm]['hash'], key: Uint8Array): () => MacStream {
  if (typeof Bun === 'undefined') {
    const keyObject = createSecretKey(key);
    return () => createHmac(hashName, keyObject);
  }
  const prepared = new Bun.CryptoHasher(hashName, key);
  return () => prepared.copy();
}

/** The first 8 bytes of HMAC-SHA-256(key, "sidecar-signer key id"), in hex. */
export function keyId(secret: Uint8Array): string {
  return createHmac('sha256', secret).update('sidecar-signer key id').digest().toString('hex', 0, 8);
}

/** The id of a key that could be guessed: random for each process, so that it reveals nothing about the key. */
export function processKeyId(secret: Uint8Array): string {
  return createHmac('sha256', salt).update(keyId(secret)).digest().toString('hex', 0, 8);
}

/** The tag of a message that is in memory, as one or more parts. */
export function tagOf(mac: Mac, ...parts: readonly MessagePart[]): Buffer {
  const stream = mac.start();
  for (const part of parts) stream.update(part);
  return stream.digest();
}

/** Compares two tags in constant time. Tags of different lengths are never equal. */
export function equalTags(expected: Uint8Array, received: Uint8Array): boolean {
  return expected.length === received.length && timingSafeEqual(expected, received);
}

/** Self-test: whether an independent implementation computes the same tag with these key bytes. */
export function agreesWithOracle(mac: Mac, secret: Uint8Array): boolean {
  const message = new TextEncoder().encode('sidecar-signer self-test');
  const stream = mac.start();
  stream.update(message);
  return equalTags(nobleHmac(algorithms[mac.algorithm].noble, secret, message), stream.digest());
}

/**
 * Derives a key of `length` bytes by HKDF-SHA-256 (RFC 5869). Different values of `info` give independent keys. The
 * caller may overwrite `secret` afterwards.
 * @returns undefined if two independent implementations disagree
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
 * Fingerprints that reveal the same key under two names. Two secrets share a fingerprint if they have the same bytes, or
 * if HMAC treats them as the same key: it pads a short key with zeros and hashes a long one (RFC 2104 §2). The
 * fingerprints are salted, so they mean nothing outside this process.
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
