/**
 * The format `jwt`: tokens (RFC 7519) signed as RFC 7515 and RFC 7518 §3.2 say. The caller says what a token claims, the
 * signer all that gives it its meaning, and what it signs begins with a header of its own.
 */

import * as z from 'zod/mini';
import { SignerError } from '../../api/errors.ts';
import type {
  Claims,
  JwtSignature,
  JwtSignRequest,
  JwtVerification,
  JwtVerifyRequest,
  VerificationFailure,
} from '../../api/messages.ts';
import { parse } from '../../api/schema.ts';
import { decodeExactly, encode } from '../../bytes/encoding.ts';
import { parseUnambiguousJson } from '../../bytes/exact-json.ts';
import { type SigningContext, verification } from '../../signing/format.ts';
import { type Algorithm, indexOfTag, type Key, tagBytes, tagOf } from '../../signing/mac.ts';
import { defineFormat } from '../definition.ts';
import {
  type ClaimPolicy,
  checkClaims,
  completeClaims,
  configuredClaims,
  fixedClaimsProblem,
  isClaims,
} from './claims.ts';

const signRequest: z.ZodMiniType<JwtSignRequest> = z.strictObject({
  claims: z.custom<Claims>(isClaims, 'must be an object').register(z.globalRegistry, { type: 'object' }),
  lifetimeSeconds: z.optional(z.int().check(z.gte(1))),
});
const verifyRequest: z.ZodMiniType<JwtVerifyRequest> = z.strictObject({ token: z.string() });
const requests = { sign: signRequest, verify: verifyRequest };

const name = z.string().check(z.minLength(1));
const fixedClaims = z.custom<Claims>().check((context) => {
  const problem = fixedClaimsProblem(context.value);
  if (problem !== undefined) context.issues.push({ code: 'custom', input: undefined, message: problem });
});
const options = z.strictObject({
  issuer: z.optional(name),
  audience: z.optional(
    z.union([name, z.array(name).check(z.minLength(1))], 'must be a name or a list of names'),
  ),
  maxLifetimeSeconds: z.optional(z.int().check(z.gte(1), z.lte(10 * 365 * 86400))),
  leewaySeconds: z.optional(z.int().check(z.gte(0), z.lte(3600))),
  requiredClaims: z.optional(z.array(name)),
  fixedClaims: z.optional(fixedClaims),
  type: z.optional(
    z
      .string()
      .check(
        z.regex(/^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/, 'must be a media type without "application/"'),
      ),
  ),
});

const algorithms: readonly [Algorithm, ...Algorithm[]] = ['HS256', 'HS384', 'HS512'];
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** What a token says of itself when nothing is configured (RFC 7519 §5.1). */
const usualType = 'JWT';
/** A longer token fits no HTTP header anyway. */
const maxClaimsBytes = 16 * 1024;
/** Read before the signature is verified, so that its reading must cost little. */
const maxHeaderBytes = 4 * 1024;

export const jwt = defineFormat('jwt', { jwt: z.optional(options) }, requests, ({ jwt: given = {} }) => {
  const { type = usualType } = given;
  const policy: ClaimPolicy = {
    ...given,
    maxLifetimeSeconds: given.maxLifetimeSeconds ?? 3600,
    leewaySeconds: given.leewaySeconds ?? 0,
    requiredClaims: given.requiredClaims ?? [],
    fixedClaims: given.fixedClaims ?? {},
  };
  const configured = configuredClaims(policy);
  const headerOf = headers(type);
  return {
    name: 'jwt',
    options: { ...policy, type },
    algorithms,
    minKeyBytes: tagBytes,
    secretEncoding: 'base64url',
    exactNumbers: true,
    sign: (context, request) => {
      const { claims, lifetimeSeconds = policy.maxLifetimeSeconds } = parse(signRequest, request);
      return write(
        context,
        headerOf,
        completeClaims(policy, configured, claims, lifetimeSeconds, context.now),
      );
    },
    verify: (context, request) => read(context, type, policy, parse(verifyRequest, request).token),
  };
});

/** The header of each key's tokens, encoded once. */
function headers(typ: string): (key: Key) => string {
  const known = new WeakMap<Key, string>();
  return (key) => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const header = JSON.stringify({ alg: key.mac.algorithm, typ, kid: key.id });
    const encoded = encode(Buffer.from(header), 'base64url');
    known.set(key, encoded);
    return encoded;
  };
}

function write(
  context: SigningContext,
  headerOf: (key: Key) => string,
  claims: Claims & { readonly exp: number },
): JwtSignature {
  const [key] = context.keys;
  const payload = Buffer.from(JSON.stringify(claims));
  if (payload.length > maxClaimsBytes) {
    throw new SignerError(
      'message_too_large',
      `the claims of a token have at most ${maxClaimsBytes} bytes as JSON`,
    );
  }
  const input = `${headerOf(key)}.${encode(payload, 'base64url')}`;
  context.checkSize(input.length);
  return {
    token: `${input}.${encode(tagOf(key.mac, Buffer.from(input, 'latin1')), 'base64url')}`,
    keyId: key.id,
    expiresAt: rfc3339(claims.exp),
  };
}

/** The last one is kept: tokens of the same second end together, and writing a date costs as much as half a tag. */
let lastDate = { seconds: Number.NaN, text: '' };

function rfc3339(seconds: number): string {
  if (seconds !== lastDate.seconds) lastDate = { seconds, text: new Date(seconds * 1000).toISOString() };
  return lastDate.text;
}

/** Nothing of a token's claims is looked at before its signature has been verified. */
function read(context: SigningContext, type: string, policy: ClaimPolicy, token: string): JwtVerification {
  context.checkSize(token.length);
  // A fourth shows that there are too many; there could be a million.
  const segments = token.split('.', 4);
  if (segments.length !== 3) return invalid('malformed');
  const [first, second, given] = segments.map((segment) => decodeExactly(segment, 'base64url'));
  if (!first || !second || !given) return invalid('malformed');
  const header = first.length > maxHeaderBytes ? undefined : readHeader(first);
  if (header === undefined || given.length !== tagBytes(header.alg)) return invalid('malformed');

  const candidates = candidateKeys(context.keys, header);
  const input = Buffer.from(token.slice(0, token.lastIndexOf('.')), 'latin1');
  const tags = candidates.map(({ mac }) => tagOf(mac, input));
  const key = candidates[indexOfTag(tags, given)];
  const verified = verification(context.keys, key === undefined ? -1 : context.keys.indexOf(key));
  if (!verified.valid) return verified;

  const claims = parseObject(second);
  if (claims === undefined) return invalid('malformed');
  if (!isOfType(type, header.typ)) return invalid('not_allowed');
  const failure = checkClaims(policy, claims, context.now);
  return failure === undefined ? { ...verified, claims } : invalid(failure);
}

interface Header {
  readonly alg: Algorithm;
  readonly typ?: string;
  readonly kid?: string;
}

/** RFC 7515 §4: undefined for a header that we do not understand or that asks for more than we do. */
function readHeader(bytes: Uint8Array): Header | undefined {
  const header = parseObject(bytes);
  if (header === undefined || Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64')) return undefined;
  const { alg, typ, kid } = header as { [Name in keyof Header]?: unknown };
  const algorithm = algorithms.find((each) => each === alg);
  if (algorithm === undefined || !isOptionalString(typ) || !isOptionalString(kid)) return undefined;
  return { alg: algorithm, ...(typ !== undefined && { typ }), ...(kid !== undefined && { kid }) };
}

/** The keys that may have signed: each has one algorithm, whatever a token says of itself. */
function candidateKeys(keys: SigningContext['keys'], { kid, alg }: Header): readonly Key[] {
  const named = keys.filter(({ id }) => id === kid);
  return (named.length > 0 ? named : keys).filter(({ mac }) => mac.algorithm === alg);
}

/** RFC 7515 §4.1.9, and RFC 8725 §3.11: a type of our own must be there to tell these tokens from others. */
function isOfType(type: string, typ: string | undefined): boolean {
  if (typ === undefined) return type === usualType;
  return typ.toLowerCase().replace(/^application\//, '') === type.toLowerCase();
}

function parseObject(bytes: Uint8Array): Claims | undefined {
  try {
    const value = parseUnambiguousJson(utf8.decode(bytes));
    return isClaims(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isOptionalString(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

function invalid(reason: VerificationFailure): JwtVerification {
  return { valid: false, reason };
}
