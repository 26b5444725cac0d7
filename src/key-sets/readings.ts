/**
 * The ways to read a secret that its key set does not declare, for the command that explains why a signature does not
 * match. Key bytes do not leave this file: what does is the HMAC of each reading.
 */

import { type Algorithm, createMac, keyId, type Mac } from '../signing/mac.ts';
import { readJwkSet } from './jwk-set.ts';
import { decodeKey } from './key-encoding.ts';
import { couldBeKey } from './key-id.ts';
import { type Difference, digitsOf, ownCopy, textReadings } from './other-texts.ts';
import { type Secret, withBytes } from './secret.ts';
import type { KeySettings } from './settings.ts';

export interface KeyReading {
  /** What is different from the key set's own reading; empty for the keys that it has. */
  readonly differences: readonly Difference[];
  readonly macs: ReadonlyMap<Algorithm, Mac>;
}

/** No more readings than this are made of one secret. */
const maxReadings = 64;

interface Candidate {
  readonly differences: readonly Difference[];
  readonly bytes: Uint8Array;
}

/**
 * All readings, those of the key set itself first. It may have none of its own, if it cannot be loaded.
 * @param algorithms those that the readings will be used with
 */
export function readingsOf(
  secret: Secret,
  settings: KeySettings,
  algorithms: readonly Algorithm[],
): readonly KeyReading[] {
  return withBytes(secret, (content) => {
    const candidates = candidatesOf(content, settings);
    const known: Uint8Array[] = [];
    try {
      return candidates.flatMap(({ differences, bytes }) => {
        const isKnown = known.some((each) => Buffer.compare(each, bytes) === 0);
        if (bytes.length === 0 || isKnown || known.length >= maxReadings) return [];
        known.push(bytes);
        return { differences, macs: new Map(algorithms.map((each) => [each, createMac(each, bytes)])) };
      });
    } finally {
      for (const { bytes } of candidates) bytes.fill(0);
    }
  });
}

/** Each with bytes that may be overwritten. */
function candidatesOf(content: Uint8Array, { encoding, format }: KeySettings): readonly Candidate[] {
  if (encoding === 'jwks') return jwkCandidates(content);
  const decoded = decodeKey(content, encoding);
  const own = decoded.ok ? [{ differences: [], bytes: apart(decoded.value.bytes, content) }] : [];
  const texts = textReadings(content, { encoding, needsConsent: format.secretEncoding === 'whsec' });
  return [
    ...own,
    ...texts.map((each) => (each.differences.length > 0 ? each : { ...each, differences: [asItIs] })),
    ...own.flatMap(({ bytes }) => digitsOf(bytes)),
  ];
}

/** What is decoded may be a part of the content, which others read as well. */
function apart(bytes: Uint8Array, content: Uint8Array): Uint8Array {
  return bytes.buffer === content.buffer ? Uint8Array.from(bytes) : bytes;
}

/** The file says what the key is, and yet the key set does not accept it. */
const asItIs: Difference = {
  code: 'key-refused',
  when: 'the secret is used as it stands in the file',
  remedy: 'Correct what is wrong with the file, so that the key set can be loaded.',
};

function jwkCandidates(content: Uint8Array): readonly Candidate[] {
  const set = readJwkSet(content);
  if (!set.ok) return [];
  const keys = set.value.keys.map(({ kid, k, disabled, index }) => {
    const bytes = ownCopy(Buffer.from(k, 'base64url'));
    // People exchange "kid" and "k".
    const name = couldBeKey(kid) || kid === keyId(bytes) ? `number ${index + 1} of the set` : `"${kid}"`;
    const differences = disabled ? [disabledStep(name)] : [];
    return { name, differences, k, bytes };
  });
  const texts = keys.map(({ name, differences, k }) => ({
    differences: [...differences, textOfJwk(name)],
    bytes: ownCopy(Buffer.from(k)),
  }));
  const digits = keys.flatMap(({ differences, bytes }) =>
    digitsOf(bytes).map((each) => ({ ...each, differences: [...differences, ...each.differences] })),
  );
  // Those that the set uses come first.
  return [...keys.toSorted((a, b) => a.differences.length - b.differences.length), ...texts, ...digits];
}

function disabledStep(name: string): Difference {
  return {
    code: 'key-disabled',
    when: `the key ${name} of the JWK set is used, which is disabled`,
    remedy: 'Remove "disabled" from that key, or have the sender use the primary.',
  };
}

function textOfJwk(name: string): Difference {
  return {
    code: 'key-encoding',
    when: `the text of "k" is the key, without decoding it, for the key ${name}`,
    remedy: 'The sender has to decode "k" from base64url (RFC 7518 §6.4.1).',
  };
}
