/**
 * The steps that rotate a JWK set: add a key, promote it, remove the old one. Each step takes the content of a set and
 * returns the next, and refuses to make a set that the signer would not load.
 */

import type { Algorithm } from '../signing/mac.ts';
import { type JwkSet, looksSwapped, parseJwkSet, readJwkSet } from './jwk-set.ts';

/** Says why a step cannot be taken, without key bytes. */
export class RotationError extends Error {
  override readonly name = 'RotationError';
}

export interface NewKey {
  readonly id: string;
  readonly bytes: Uint8Array;
  /** Undefined if the configuration declares it. */
  readonly algorithm: Algorithm | undefined;
}

/** Makes a set of one key. */
export function newJwkSet(key: NewKey): string {
  return write({ primary: key.id, keys: [jwkOf(key)] });
}

/** Describes the primary, as a model for the next key. `length` is in bytes. @throws {RotationError} */
export function primaryOf(content: Uint8Array): {
  readonly id: string;
  readonly algorithm: Algorithm | undefined;
  readonly length: number;
} {
  const { keys, primary: id } = read(content);
  const key = keys.find(({ kid }) => kid === id);
  return { id, algorithm: key?.alg, length: Buffer.from(key?.k ?? '', 'base64url').length };
}

/** @throws {RotationError} */
export function addKey(content: Uint8Array, key: NewKey): string {
  const set = read(content);
  if (set.keys.some(({ kid }) => kid === key.id)) {
    throw new RotationError(`the set has a key ${key.id} already; give another --kid`);
  }
  return write({ ...set.json, keys: [...set.json.keys, jwkOf(key)] });
}

/** @throws {RotationError} */
export function promoteKey(content: Uint8Array, id: string): string {
  const set = read(content);
  requireKey(set, id);
  return write({ ...set.json, primary: id });
}

/** @throws {RotationError} */
export function removeKey(content: Uint8Array, id: string): string {
  const set = read(content);
  requireKey(set, id);
  if (set.primary === id) {
    throw new RotationError(`the key ${id} is the primary; promote another one first`);
  }
  const removed = new Set(set.keys.filter(({ kid }) => kid === id).map(({ index }) => index));
  return write({ ...set.json, keys: set.json.keys.filter((_, index) => !removed.has(index)) });
}

function jwkOf({ id, bytes, algorithm }: NewKey): object {
  const k = Buffer.from(bytes).toString('base64url');
  return { kty: 'oct', kid: id, ...(algorithm && { alg: algorithm }), k };
}

function requireKey({ keys }: JwkSet, id: string): void {
  if (keys.some(({ kid }) => kid === id)) return;
  throw new RotationError('the set has no key of this id; "keys show" lists those that it has');
}

function read(content: Uint8Array): JwkSet {
  const parsed = readJwkSet(content);
  if (!parsed.ok) throw new RotationError(parsed.problems.join('; '));
  refuseSwapped(parsed.value);
  return parsed.value;
}

/** These commands print ids. @throws {RotationError} if an id looks like a key */
export function refuseSwapped({ keys }: JwkSet): void {
  const swapped = keys.find(looksSwapped);
  if (swapped === undefined) return;
  throw new RotationError(
    `keys.${swapped.index}: "kid" and "k" seem to be exchanged, since kid is long and random and k is not; exchange them`,
  );
}

/** Everything that the signer ignores stays in the set. */
function write(set: object): string {
  const text = `${JSON.stringify(set, null, 2)}\n`;
  const parsed = parseJwkSet(Buffer.from(text));
  if (!parsed.ok) throw new RotationError(parsed.problems.join('; '));
  return text;
}
