/** Reads JWK sets (RFC 7517 §5) of symmetric keys. The extra member `primary` names the key that signs. */

import * as z from 'zod/mini';
import { shapeProblems } from '../api/schema.ts';
import { decode } from '../bytes/encoding.ts';
import { parseUnambiguousJson } from '../bytes/exact-json.ts';
import { isSmallJson, type JsonSize } from '../bytes/small-json.ts';
import { decodeUtf8 } from '../bytes/text.ts';
import { type Algorithm, algorithmNames } from '../signing/mac.ts';
import { ignoredMembers, meantMember } from './jwk-members.ts';
import { encodingProblems } from './key-encoding.ts';
import { couldBeKey } from './key-id.ts';
import { ok, type Result, refused } from './result.ts';

/** A key that is not disabled. */
export interface Jwk {
  readonly id: string;
  /** Where it is in the set. Messages use this, because a `kid` could be a key that stands in the wrong member. */
  readonly place: string;
  readonly bytes: Uint8Array;
  readonly algorithm: Algorithm | undefined;
}

/** More than any rotation needs. The limit bounds the cost of a verification, which tries every key. */
export const maxJwks = 64;

/** Room for certificates in keys of other kinds, and for whatever else is ignored. */
const mostJson: JsonSize = { values: 64 * maxJwks, depth: 32 };

const jwk = z.object({
  kty: z.literal('oct'),
  k: z.string(),
  kid: z
    .string()
    .check(z.regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 printable ASCII characters without spaces')),
  alg: z.optional(z.enum(algorithmNames)),
  use: z.optional(z.literal('sig')),
  key_ops: z.optional(z.array(z.enum(['sign', 'verify'])).check(z.maxLength(16))),
  ext: z.optional(z.boolean()),
  disabled: z.optional(z.boolean()),
});
const jwkSet = z.object({
  keys: z.array(z.unknown()).check(z.minLength(1), z.maxLength(maxJwks)),
  primary: z.string(),
});
const [setMembers, keyMembers] = [jwkSet, jwk].map(({ shape }) => Object.keys(shape)) as [string[], string[]];

/** A key of the kind `oct`. */
export type OctJwk = z.infer<typeof jwk> & {
  /** Its place in the list, from 0. */
  readonly index: number;
};

export interface JwkSet {
  readonly primary: string;
  readonly keys: readonly OctJwk[];
  /** The set as it is written, with everything that is ignored. */
  readonly json: { readonly keys: readonly unknown[] };
  /** What is ignored, and what looks like a mistake. Each completes the sentence "the set …". */
  readonly warnings: readonly string[];
}

/** Checks the shape alone. */
export function readJwkSet(content: Uint8Array): Result<JwkSet> {
  if (!isSmallJson(content, mostJson)) {
    const limits = `${mostJson.values} members or is nested more than ${mostJson.depth} levels deep`;
    return refused(`has more than ${limits}; a JWK set has at most ${maxJwks} keys of a few members each`);
  }
  let json: unknown;
  try {
    // The empty text is no JSON.
    json = parseUnambiguousJson(decodeUtf8(content) ?? '');
  } catch {
    // The parser's own error repeats a part of the text.
    return refused('is not one JSON text in UTF-8 without a byte order mark');
  }
  // RFC 7517 §4: some readers take the first of two members of the same name, and some the last.
  if (json === undefined) return refused('has a duplicate member in an object; remove one of the two');
  const set = jwkSet.safeParse(json);
  const problems = [...problemsOf(jwkSet, set.error, []), ...slips(json, setMembers, [])];
  if (!set.success) return refused(...problems);
  const keys: OctJwk[] = [];
  const others: number[] = [];
  for (const [index, value] of set.data.keys.entries()) {
    if (isOfAnotherKind(value)) {
      others.push(index);
      continue;
    }
    const at = ['keys', index];
    const key = jwk.safeParse(value);
    if (key.success) keys.push({ ...key.data, index });
    problems.push(...problemsOf(jwk, key.error, at), ...slips(value, keyMembers, at));
  }
  if (problems.length === 0 && keys.length === 0) {
    problems.push(`${where(['keys'])}none has the kty "oct", and the signer uses no other; add one`);
  }
  if (problems.length > 0) return refused(...problems);
  const ignored = ignoredMembers([
    [json, setMembers],
    ...keys.map(({ index }) => [set.data.keys[index], keyMembers] as const),
  ]);
  const warnings = [
    ...(ignored === '' ? [] : [`has members that are ignored (RFC 7517 §4): ${ignored}`]),
    ...(others.length === 0
      ? []
      : [`has keys that are not of the kty "oct" and are ignored (RFC 7517 §5): ${placesOf(others)}`]),
    ...swapWarning(keys),
  ];
  return ok({ primary: set.data.primary, keys, json: json as JwkSet['json'], warnings });
}

export interface UsableJwks {
  /** The keys that are not disabled, with the primary first. */
  readonly keys: readonly Jwk[];
  readonly warnings: readonly string[];
}

export function parseJwkSet(content: Uint8Array): Result<UsableJwks> {
  const read = readJwkSet(content);
  if (!read.ok) return read;
  const set = read.value;
  const keys = set.keys.map(({ kid, k, alg, index, disabled }) => ({
    disabled,
    id: kid,
    place: placeOf(index),
    bytes: decode(k, 'base64url'),
    algorithm: alg,
  }));
  const problems = [
    ...keys.flatMap(({ bytes, place }) => (bytes === undefined ? [notBase64url(place)] : [])),
    ...usageProblems(set),
  ];
  const usable = keys.filter((key): key is Jwk & { disabled: undefined } => {
    const isUsed = problems.length === 0 && key.disabled !== true;
    if (!isUsed) key.bytes?.fill(0);
    return isUsed;
  });
  if (problems.length > 0) return refused(...problems);
  const isPrimary = ({ id }: Jwk) => id === set.primary;
  const sorted = [...usable.filter(isPrimary), ...usable.filter((key) => !isPrimary(key))];
  return ok({ keys: sorted, warnings: set.warnings });
}

/** Problems of how the keys are named and used. */
function usageProblems({ primary, keys }: JwkSet): string[] {
  const problems: string[] = [];
  const ids = keys.map(({ kid }) => kid);
  for (const [nth, { kid, index, key_ops = ['sign', 'verify'] }] of keys.entries()) {
    const at = ['keys', index];
    if (ids.indexOf(kid) < nth) problems.push(`${where([...at, 'kid'])}is the id of an earlier key too`);
    const needed = kid === primary ? (['sign', 'verify'] as const) : (['verify'] as const);
    if (!needed.every((operation) => key_ops.includes(operation))) {
      const role = kid === primary ? 'the primary' : 'a key';
      problems.push(
        `${where([...at, 'key_ops'])}must have ${needed.join(' and ')}, which ${role} is used for`,
      );
    }
  }
  if (!keys.some(({ kid, disabled }) => kid === primary && disabled !== true)) {
    problems.push(`${where(['primary'])}must be the kid of a key in the set that is not disabled`);
  }
  return problems;
}

/** RFC 7517 §5: keys of a kind that is not understood are ignored. One that is nearly written "oct" is a mistake. */
function isOfAnotherKind(value: unknown): boolean {
  const kty = isObject(value) ? value['kty'] : undefined;
  return typeof kty === 'string' && kty !== 'oct' && meantMember(kty, ['oct'], {}) === undefined;
}

/** Unknown members are ignored (RFC 7517 §4), but not those that are nearly written like a known one. */
function slips(value: unknown, known: readonly string[], path: readonly PropertyKey[]): readonly string[] {
  if (!isObject(value)) return [];
  const meant = Object.keys(value).flatMap((member) => meantMember(member, known, value) ?? []);
  return [...new Set(meant)].map(
    (member) => `${where(path)}has a member that is not "${member}" but nearly; correct or remove it`,
  );
}

/** Whether a `kid` is long and random while its `k` is short or readable. */
export function looksSwapped({ kid, k }: Pick<OctJwk, 'kid' | 'k'>): boolean {
  return couldBeKey(kid) && /[0-9]/.test(kid) && !couldBeKey(k);
}

function swapWarning(keys: readonly OctJwk[]): readonly string[] {
  const swapped = keys.filter(looksSwapped).map(({ index }) => index);
  if (swapped.length === 0) return [];
  return [
    `may have "kid" and "k" exchanged in ${placesOf(swapped)}: the kid is long and random, and k is not; a kid is public`,
  ];
}

function problemsOf(
  schema: z.ZodMiniType,
  error: z.core.$ZodError | undefined,
  path: readonly PropertyKey[],
): readonly string[] {
  if (error === undefined) return [];
  const found = shapeProblems(schema, error);
  return found.map((problem) => `${where([...path, ...problem.path])}${problem.message}`);
}

function notBase64url(place: string): string {
  return `${place}.k: ${encodingProblems.base64url}`;
}

function placeOf(index: number): string {
  return `keys.${index}`;
}

function placesOf(indexes: readonly number[]): string {
  return indexes.map(placeOf).join(', ');
}

function where(path: readonly PropertyKey[]): string {
  return path.length === 0 ? 'as a JWK set: ' : `${path.join('.')}: `;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
