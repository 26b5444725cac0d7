/**
 * One secret file to one key. Everything that makes a key unfit is found here, by size and shape; no message repeats
 * a byte of it.
 */

import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { agreesWithOracle, createMac, type Key, keyId, keyMarks } from '../mac.ts';
import type { KeySettings } from './settings.ts';

/** A key together with the marks by which the same key is found under another name. */
export interface LoadedKey {
  readonly name: string;
  readonly key: Key;
  readonly marks: readonly string[];
  readonly settings: KeySettings;
}

/** The shortest key that is accepted without `allowWeakKey`. New keys should have 32 bytes (NIST SP 800-107r1 §5.3.4). */
export const minKeyBytes = 16;

/** @returns the key, or everything that is wrong with it */
export function parseKeyFile(
  name: string,
  secret: Uint8Array,
  settings: KeySettings,
): LoadedKey | readonly string[] {
  const problems = [...shapeProblems(secret), ...(settings.allowWeakKey ? [] : weaknesses(secret))];
  if (problems.length > 0) return problems;
  const mac = createMac(settings.algorithm, secret);
  if (!agreesWithOracle(mac, secret))
    return ['failed its self-test: two HMAC implementations disagree on this machine'];
  // A short key could be guessed from an id derived from it, so a weak one gets an id that says nothing.
  const id = weaknesses(secret).length > 0 ? randomBytes(8).toString('hex') : keyId(secret);
  return { name, key: { id, mac }, marks: keyMarks(settings.algorithm, secret), settings };
}

function shapeProblems(secret: Uint8Array): string[] {
  if (secret.length === 0) return ['is empty; write a key of at least 32 random bytes into it'];
  if (endsLikeText(secret)) {
    return [
      'is text that ends with a newline, which would become part of the key; write it without one (echo -n), or set "encoding: text"',
    ];
  }
  return [];
}

function weaknesses(secret: Uint8Array): string[] {
  const problems: string[] = [];
  if (secret.length < minKeyBytes) {
    problems.push(`is ${secret.length} bytes long; a key needs at least ${minKeyBytes}, better 32`);
  }
  if (secret.length > 1 && secret.every((byte) => byte === secret[0])) {
    problems.push('is one byte repeated; generate a random key (openssl rand -hex 32)');
  }
  return problems;
}

/** Printable UTF-8 with a final newline: a text file, most likely made by `echo` or an editor. */
function endsLikeText(secret: Uint8Array): boolean {
  if (secret.at(-1) !== 0x0a) return false;
  const isControl = (byte: number) =>
    (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) || byte === 0x7f;
  if (secret.some(isControl)) return false;
  // The bytes are judged without making a string of them, which could not be overwritten.
  return isUtf8(secret);
}
