/**
 * The format `jwt`: JSON Web Tokens (RFC 7519), signed with HMAC (RFC 7515, RFC 7518 §3.2). The caller gives claims. The
 * signer writes the header, the times, and the claims that the key set's configuration fixes.
 */

import * as z from 'zod/mini';
import type {
  Claims,
  JwtSignature,
  JwtSignRequest,
  JwtVerification,
  JwtVerifyRequest,
} from '../../api/messages.ts';
import { parse } from '../../api/schema.ts';
import { decodeExactly, encode } from '../../bytes/encoding.ts';
import { parseUnambiguousJson } from '../../bytes/exact-json.ts';
import { decodeUtf8 } from '../../bytes/text.ts';
import type { SigningContext } from '../../signing/format.ts';
import { type Algorithm, type Key, tagBytes, tagOf } from '../../signing/mac.ts';
import { invalid, verifyTag } from '../../signing/verify-tag.ts';
import { text, verificationWith } from '../answers.ts';
import { defineFormat } from '../definition.ts';
import { isClaims } from './claim-values.ts';
import {
  type ClaimPolicy,
  checkClaims,
  claimsTooLarge,
  completeClaims,
  configuredClaims,
  fixedClaimsProblem,
  maxClaimsBytes,
  requiredClaimsProblem,
} from './claims.ts';

const claims = z
  .custom<Claims>(isClaims, 'must be an object')
  .register(z.globalRegistry, { type: 'object', additionalProperties: true });
const sign: z.ZodMiniType<JwtSignRequest> = z.strictObject({
  claims,
  lifetimeSeconds: z.optional(z.int().check(z.gte(1))),
});
const verify: z.ZodMiniType<JwtVerifyRequest> = z.strictObject({ token: text });

const name = z.string().check(z.minLength(1));
const fields = z.strictObject({
  issuer: z.optional(name),
  audience: z.optional(
    z.union([name, z.array(name).check(z.minLength(1))], 'must be a name or a list of names'),
  ),
  maxLifetimeSeconds: z.optional(z.int().check(z.gte(1), z.lte(10 * 365 * 86400))),
  leewaySeconds: z.optional(z.int().check(z.gte(0), z.lte(3600))),
  requiredClaims: z.optional(z.array(name)),
  fixedClaims: z.optional(claims),
  allowNumericSubject: z.optional(z.boolean()),
  type: z.optional(
    z
      .string()
      .check(
        z.regex(/^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/, 'must be a media type without "application/"'),
      ),
  ),
});
const options = fields.check(({ value, issues }) => {
  const { fixedClaims = {}, requiredClaims = [], allowNumericSubject } = value;
  const inFixed = fixedClaimsProblem(fixedClaims, allowNumericSubject);
  const message = inFixed ?? requiredClaimsProblem(requiredClaims, fixedClaims);
  const path = [inFixed === undefined ? 'requiredClaims' : 'fixedClaims'];
  if (message !== undefined) issues.push({ code: 'custom', input: undefined, path, message });
});

const algorithms: readonly [Algorithm, ...Algorithm[]] = ['HS256', 'HS384', 'HS512'];
/** The `typ` of tokens if the configuration sets none (RFC 7519 §5.1). */
const defaultType = 'JWT';
/** The header is parsed before the signature is verified, so anyone can send one. */
const maxHeaderBytes = 4 * 1024;

export const jwt = defineFormat({
  name: 'jwt',
  fields: { jwt: z.optional(options) },
  requests: { sign, verify },
  answers: {
    signature: z.object({ token: text, keyId: text, expiresAt: text }),
    verification: verificationWith({ claims: z.record(text, z.unknown()) }),
  },
  create: ({ jwt: configured = {} }) => {
    const { type = defaultType } = configured;
    const policy: ClaimPolicy = {
      ...configured,
      maxLifetimeSeconds: configured.maxLifetimeSeconds ?? 3600,
      leewaySeconds: configured.leewaySeconds ?? 0,
      requiredClaims: configured.requiredClaims ?? [],
      fixedClaims: configured.fixedClaims ?? {},
      allowNumericSubject: configured.allowNumericSubject ?? false,
    };
    const ownClaims = configuredClaims(policy);
    const headerOf = cachedHeaders(type);
    return {
      options: { ...policy, type },
      algorithms,
      minKeyBytes: tagBytes,
      secretEncoding: 'base64url',
      exactNumbers: true,
      sign: (context, request) => {
        const { claims, lifetimeSeconds = policy.maxLifetimeSeconds } = parse(sign, request);
        return signToken(
          context,
          headerOf,
          completeClaims(policy, ownClaims, claims, lifetimeSeconds, context.now),
        );
      },
      verify: (context, request) => verifyToken(context, type, policy, parse(verify, request).token),
    };
  },
});

/** Returns the encoded header of a key's tokens. Encodes it once for each key, not for each token. */
function cachedHeaders(typ: string): (key: Key) => string {
  const cache = new WeakMap<Key, string>();
  return (key) => {
    const cached = cache.get(key);
    if (cached !== undefined) return cached;
    const header = JSON.stringify({ alg: key.mac.algorithm, typ, kid: key.id });
    const encoded = encode(Buffer.from(header), 'base64url');
    cache.set(key, encoded);
    return encoded;
  };
}

function signToken(
  context: SigningContext,
  headerOf: (key: Key) => string,
  claims: Claims & { readonly exp: number },
): JwtSignature {
  const [key] = context.keys;
  const payload = Buffer.from(JSON.stringify(claims));
  if (payload.length > maxClaimsBytes) throw claimsTooLarge();
  const input = `${headerOf(key)}.${encode(payload, 'base64url')}`;
  context.checkSize(input.length);
  const tag = encode(tagOf(key.mac, input), 'base64url');
  note(context, claims, tag);
  return {
    token: `${input}.${tag}`,
    keyId: key.id,
    expiresAt: new Date(claims.exp * 1000).toISOString(),
  };
}

/** Parses the claims only after it has verified the signature. */
function verifyToken(
  context: SigningContext,
  type: string,
  policy: ClaimPolicy,
  token: string,
): JwtVerification {
  context.checkSize(token.length);
  // The limit of 4 shows that there are too many segments, without splitting a text of a million dots.
  const segments = token.split('.', 4);
  if (segments.length !== 3) return invalid('malformed');
  const [headerBytes, payload, tag] = segments.map((segment) => decodeExactly(segment, 'base64url'));
  if (!headerBytes || !payload || !tag) return invalid('malformed');
  const header = headerBytes.length > maxHeaderBytes ? undefined : parseHeader(headerBytes);
  if (header === undefined || tag.length !== tagBytes(header.alg)) return invalid('malformed');

  const input = token.slice(0, token.lastIndexOf('.'));
  const candidates = candidateKeys(context.keys, header);
  const answer = verifyTag(context.keys, [tag], ({ mac }) => tagOf(mac, input), candidates);
  if (!answer.valid) return answer;

  const claims = parseObject(payload);
  if (claims === undefined) return invalid('malformed');
  if (!isOfType(type, header.typ)) return invalid('not_allowed', 'typ is not the configured type');
  const failure = checkClaims(policy, claims, context.now);
  if (failure !== undefined) return failure;
  note(context, claims, token.slice(token.lastIndexOf('.') + 1));
  return { ...answer, claims };
}

/** Tells the audit which token it was. The other claims are the content. */
function note({ notes }: SigningContext, { sub, jti, aud, exp }: Claims, tag: string): void {
  if (notes === undefined) return;
  notes.signature = tag;
  notes.about = { sub, jti, aud, exp };
}

interface Header {
  readonly alg: Algorithm;
  readonly typ?: string;
  readonly kid?: string;
}

/** Undefined for a header with another algorithm, or with a critical extension (RFC 7515 §4.1.11, RFC 7797 §3). */
function parseHeader(bytes: Uint8Array): Header | undefined {
  const header = parseObject(bytes);
  if (header === undefined || Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64')) return undefined;
  const { alg, typ, kid } = header as { [Name in keyof Header]?: unknown };
  const algorithm = algorithms.find((each) => each === alg);
  if (algorithm === undefined || !isOptionalString(typ) || !isOptionalString(kid)) return undefined;
  return { alg: algorithm, ...(typ !== undefined && { typ }), ...(kid !== undefined && { kid }) };
}

/** The keys that may have signed the token. A key has one algorithm, so a token cannot choose another (RFC 8725 §3.1). */
function candidateKeys(keys: SigningContext['keys'], { kid, alg }: Header): readonly Key[] {
  const named = keys.filter(({ id }) => id === kid);
  return (named.length > 0 ? named : keys).filter(({ mac }) => mac.algorithm === alg);
}

/** Compares `typ` (RFC 7515 §4.1.9). A configured type must be present, to tell these tokens from others (RFC 8725 §3.11). */
function isOfType(type: string, typ: string | undefined): boolean {
  if (typ === undefined) return type === defaultType;
  return typ.toLowerCase().replace(/^application\//, '') === type.toLowerCase();
}

/** Undefined for anything but one JSON object in UTF-8 without duplicate members. */
function parseObject(bytes: Uint8Array): Claims | undefined {
  try {
    const value = parseUnambiguousJson(decodeUtf8(bytes) ?? '');
    return isClaims(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isOptionalString(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}
