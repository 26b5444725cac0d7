/** A JWK set (RFC 7517 §5) of symmetric keys, with an added `primary`: which of them signs. */

import * as z from 'zod/mini';
import { type Algorithm, algorithmNames } from '../mac.ts';
import { shapeProblems } from '../schema.ts';
import { decodeBase64url } from './decode.ts';

/** A key of a set that may be used. */
export interface Jwk {
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly algorithm: Algorithm | undefined;
}

/** More keys than a rotation needs; it bounds what a verification costs. */
export const maxJwks = 64;

const jwk = z.strictObject({
  kty: z.literal('oct'),
  k: z.string(),
  kid: z
    .string()
    .check(z.regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 printable ASCII characters without spaces')),
  alg: z.optional(z.enum(algorithmNames as readonly [Algorithm, ...Algorithm[]])),
  use: z.optional(z.literal('sig')),
  key_ops: z.optional(z.array(z.string())),
  ext: z.optional(z.boolean()),
  disabled: z.optional(z.boolean()),
});
const jwkSet = z.strictObject({
  keys: z.array(jwk).check(z.minLength(1), z.maxLength(maxJwks)),
  primary: z.string(),
});

/** A set as it is written. */
export type JwkSet = z.infer<typeof jwkSet>;

/** @returns the set as it is written, or everything that is wrong with its shape */
export function readJwkSet(content: Uint8Array): JwkSet | { readonly problems: readonly string[] } {
  const parsed = jwkSet.safeParse(parseJson(content));
  if (parsed.success) return parsed.data;
  const problems = shapeProblems(jwkSet, parsed.error);
  return { problems: problems.map(({ path, message }) => `${where(path)}${message}`) };
}

/** @returns the enabled keys, the primary first, or everything that is wrong with the set */
export function parseJwkSet(
  content: Uint8Array,
): { readonly keys: readonly Jwk[] } | { readonly problems: readonly string[] } {
  const set = readJwkSet(content);
  if ('problems' in set) return set;
  const problems: string[] = [];
  const keys: Jwk[] = [];
  const { primary } = set;
  const ids = new Set<string>();
  for (const [index, { kid, k, alg, disabled = false }] of set.keys.entries()) {
    if (ids.has(kid)) problems.push(`${where(['keys', index, 'kid'])}is the id of an earlier key too`);
    ids.add(kid);
    const decoded = decodeBase64url(Buffer.from(k));
    if ('problem' in decoded) problems.push(`${where(['keys', index, 'k'])}${decoded.problem}`);
    else if (!disabled) keys.push({ id: kid, bytes: decoded.bytes, algorithm: alg });
  }
  const first = keys.findIndex(({ id }) => id === primary);
  if (first < 0) {
    problems.push(`${where(['primary'])}must be the kid of a key in the set that is not disabled`);
  }
  if (problems.length > 0) {
    for (const { bytes } of keys) bytes.fill(0);
    return { problems };
  }
  return { keys: [...keys.splice(first, 1), ...keys] };
}

function where(path: readonly PropertyKey[]): string {
  return path.length === 0 ? 'as a JWK set: ' : `${path.join('.')}: `;
}

/** Undefined, which fits no shape, for what is not JSON: the error of the parser would repeat a part of it. */
function parseJson(content: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content));
  } catch {
    return undefined;
  }
}
