/**
 * Looks for the difference by which a received signature matches: each one alone, and then pairs of them. It computes
 * tags and compares them, and tells nobody what they are.
 */

import { SignerError } from '../../api/errors.ts';
import { framesOf, startHashing } from '../../formats/webhook/hashing.ts';
import type { Values } from '../../formats/webhook/request.ts';
import type { Scheme } from '../../formats/webhook/scheme.ts';
import type { KeyReading } from '../../key-sets/readings.ts';
import { type Algorithm, equalTags, tagBytes } from '../../signing/mac.ts';
import type { Body } from './bodies.ts';
import type { Difference } from './difference.ts';
import type { ReceivedTag } from './signature-text.ts';

/** One way to read everything but the body: which string is signed, and what the headers and the URL say. */
export interface Message {
  readonly scheme: Scheme;
  readonly values: Values;
  readonly tags: readonly ReceivedTag[];
  readonly differences: readonly Difference[];
}

export interface Hypotheses {
  /** The most literal one first. */
  readonly messages: readonly Message[];
  readonly keys: readonly KeyReading[];
  readonly body: Uint8Array;
  readonly otherBodies: () => Iterable<Body>;
}

export interface Match {
  readonly message: Message;
  readonly body: Uint8Array;
  readonly differences: readonly Difference[];
}

export interface Tried {
  readonly match: Match | undefined;
  readonly bodies: number;
  readonly pairs: number;
  /** Whether pairs were left out, because the body is long. */
  readonly isBounded: boolean;
}

/** Bytes to hash at most, which takes less than a second. */
const maxHashedBytes = 400 * 2 ** 20;
/** What an HMAC costs beside its message, as bytes. */
const costOfTag = 2048;
const maxBodies = 64;
/** Bodies that are kept for pairs. */
const maxKeptBytes = 96 * 2 ** 20;

export function search({ messages, keys, body, otherBodies }: Hypotheses): Tried {
  const [literal] = messages;
  const [own, others] = [keys.filter(isOwn), keys.filter((key) => !isOwn(key))];
  const asItIs: Body = { bytes: body, differences: [] };
  let [hashed, bodyCount, pairs, isBounded] = [0, 1, 0, false];
  const attempt = (message: Message, key: KeyReading, form: Body, isThorough = false): Match | undefined => {
    const { match, cost } = matchOf(message, key, form, isThorough);
    hashed += cost;
    return match;
  };
  const first = <T>(items: Iterable<T>, test: (item: T) => Match | undefined): Match | undefined => {
    for (const item of items) {
      if (hashed > maxHashedBytes) {
        isBounded = true;
        return undefined;
      }
      const match = test(item);
      if (match !== undefined) return match;
    }
    return undefined;
  };
  /** Keys of the set itself stand for each other. */
  const anyOwn = (message: Message, form: Body, isThorough = false) =>
    first(own, (key) => attempt(message, key, form, isThorough));
  const kept: Body[] = [];
  const keep = (form: Body): boolean => {
    const isKnown = [asItIs, ...kept].some(({ bytes }) => Buffer.compare(bytes, form.bytes) === 0);
    const size = kept.reduce((sum, { bytes }) => sum + bytes.length, form.bytes.length);
    if (isKnown || kept.length >= maxBodies || size > maxKeptBytes) return false;
    kept.push(form);
    return true;
  };
  const alone = () =>
    first(messages, (message) => anyOwn(message, asItIs, true)) ??
    (literal && first(others, (key) => attempt(literal, key, asItIs, true))) ??
    (literal &&
      first(otherBodies(), (form) => {
        if (!keep(form)) return undefined;
        bodyCount++;
        return anyOwn(literal, form);
      }));
  const inPairs = () => {
    const pair = (test: () => Match | undefined) => {
      pairs++;
      return test();
    };
    const changed = messages.slice(1);
    return (
      (literal && first(others, (key) => first(kept, (form) => pair(() => attempt(literal, key, form))))) ??
      first(changed, (message) => first(others, (key) => pair(() => attempt(message, key, asItIs)))) ??
      first(changed, (message) => first(kept, (form) => pair(() => anyOwn(message, form))))
    );
  };
  const match = alone() ?? inPairs();
  return { match, bodies: bodyCount, pairs, isBounded };
}

function isOwn({ differences }: KeyReading): boolean {
  return differences.length === 0;
}

/** @param isThorough whether also a tag that was cut, or that is by another hash, is looked for */
function matchOf(
  message: Message,
  key: KeyReading,
  form: Body,
  isThorough: boolean,
): { readonly match: Match | undefined; readonly cost: number } {
  const { scheme, values, tags } = message;
  const frames = framesOf(scheme, values);
  let cost = 0;
  for (const [algorithm, mac] of key.macs) {
    const possible = tags.filter(({ bytes }) => couldBe(bytes, algorithm, isThorough));
    if (possible.length === 0) continue;
    cost += frames.length * (form.bytes.length + costOfTag);
    const expected = tagsOf(
      scheme,
      form.bytes,
      frames.map((frame) => ({ mac, frame })),
    );
    for (const tag of possible) {
      const isEqual = expected.some((each) => equalTags(each.subarray(0, tag.bytes.length), tag.bytes));
      if (!isEqual) continue;
      const differences = [
        ...message.differences,
        ...tag.differences,
        ...key.differences,
        ...hashDifferences(algorithm, tag, scheme),
        ...form.differences,
      ];
      return { match: { message, body: form.bytes, differences }, cost };
    }
  }
  return { match: undefined, cost };
}

/** A tag that was cut has at least half of its bytes (RFC 2104 §5). With fewer, one could be guessed byte by byte. */
function couldBe({ length }: Uint8Array, algorithm: Algorithm, isThorough: boolean): boolean {
  const whole = tagBytes(algorithm);
  return length === whole || (isThorough && length < whole && length >= Math.max(10, whole / 2));
}

function tagsOf(
  scheme: Scheme,
  body: Uint8Array,
  macs: Parameters<typeof startHashing>[1],
): readonly Buffer[] {
  try {
    // The time in a body has no part in its signature.
    const hashing = startHashing({ ...scheme, readsBody: scheme.signed.isForm }, macs);
    hashing.update(body);
    return hashing.tags().filter((tag) => tag !== undefined);
  } catch (error) {
    // A form that is too long.
    if (error instanceof SignerError) return [];
    throw error;
  }
}

function hashDifferences(
  algorithm: Algorithm,
  { bytes }: ReceivedTag,
  scheme: Scheme,
): readonly Difference[] {
  const whole = tagBytes(algorithm);
  const found: Difference[] = [];
  if (algorithm !== scheme.algorithm) {
    found.push({
      code: 'hash',
      when: `it is an HMAC by ${algorithm}, and not by ${scheme.algorithm}`,
      remedy: `Set "algorithm: ${algorithm}" where the format has a choice ("raw" and "webhook"), or choose the format of the sender.`,
    });
  }
  if (bytes.length < whole) {
    found.push({
      code: 'signature-cut',
      when: `only the first ${bytes.length} of its ${whole} bytes are compared`,
      remedy:
        'The signature was cut: pass the header on whole. If the sender cuts it, the signer cannot verify it.',
    });
  }
  return found;
}
