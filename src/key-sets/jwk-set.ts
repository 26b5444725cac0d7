/** Reads JWK sets (RFC 7517 §5) of symmetric keys. The extra member `primary` names the key that signs. */

import * as z from 'zod/mini';
import { shapeProblems } from '../api/schema.ts';
import { decode } from '../bytes/encoding.ts';
import { parseUnambiguousJson } from '../bytes/exact-json.ts';
import { decodeUtf8 } from '../bytes/text.ts';
import { type Algorithm, algorithmNames } from '../signing/mac.ts';
import { encodingProblems } from './key-encoding.ts';
import { ok, type Result, refused } from './result.ts';

/** A key that is not disabled. */
export interface Jwk {
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly algorithm: Algorithm | undefined;
}

/** More than any rotation needs. The limit bounds the cost of a verification, which tries every key. */
export const maxJwks = 64;

const jwk = z.strictObject({
  kty: z.literal('oct'),
  k: z.string(),
  kid: z
    .string()
    .check(z.regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 printable ASCII characters without spaces')),
  alg: z.optional(z.enum(algorithmNames)),
  use: z.optional(z.literal('sig')),
  key_ops: z.optional(z.array(z.enum(['sign', 'verify']))),
  ext: z.optional(z.boolean()),
  disabled: z.optional(z.boolean()),
});
const jwkSet = z.strictObject({
  keys: z.array(jwk).check(z.minLength(1), z.maxLength(maxJwks)),
  primary: z.string(),
});

export type JwkSet = z.infer<typeof jwkSet>;

/** Checks the shape alone. */
export function readJwkSet(content: Uint8Array): Result<JwkSet> {
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
  const parsed = jwkSet.safeParse(json);
  if (parsed.success) return ok(parsed.data);
  const problems = shapeProblems(jwkSet, parsed.error).map(({ path, message }) => `${where(path)}${message}`);
  // Unknown members are not named, so several of them give the same problem.
  return refused(...new Set(problems));
}

/** @returns the keys that are not disabled, with the primary first */
export function parseJwkSet(content: Uint8Array): Result<readonly Jwk[]> {
  const read = readJwkSet(content);
  if (!read.ok) return read;
  const set = read.value;
  const keys = set.keys.map(({ kid, k, alg }) => ({
    id: kid,
    bytes: decode(k, 'base64url'),
    algorithm: alg,
  }));
  const problems = [
    ...keys.flatMap(({ bytes }, index) => (bytes === undefined ? [notBase64url(index)] : [])),
    ...usageProblems(set),
  ];
  const usable = keys.filter((key, index): key is Jwk => {
    const isUsed = problems.length === 0 && set.keys[index]?.disabled !== true;
    if (!isUsed) key.bytes?.fill(0);
    return isUsed;
  });
  if (problems.length > 0) return refused(...problems);
  const isPrimary = ({ id }: Jwk) => id === set.primary;
  return ok([...usable.filter(isPrimary), ...usable.filter((key) => !isPrimary(key))]);
}

/** Problems of how the keys are named and used. */
function usageProblems({ primary, keys }: JwkSet): string[] {
  const problems: string[] = [];
  const ids = keys.map(({ kid }) => kid);
  for (const [index, { kid, key_ops = ['sign', 'verify'] }] of keys.entries()) {
    const at = ['keys', index];
    if (ids.indexOf(kid) < index) problems.push(`${where([...at, 'kid'])}is the id of an earlier key too`);
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

function notBase64url(index: number): string {
  return `${where(['keys', index, 'k'])}${encodingProblems.base64url}`;
}

function where(path: readonly PropertyKey[]): string {
  return path.length === 0 ? 'as a JWK set: ' : `${path.join('.')}: `;
}
