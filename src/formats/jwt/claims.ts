/**
 * The claims of a JWT (RFC 7519 §4): how the signer completes the claims of a caller, and how it checks those of a token,
 * by the policy of the key set.
 */

import { isDeepStrictEqual } from 'node:util';
import { SignerError } from '../../api/errors.ts';
import type { Claims, Invalid } from '../../api/messages.ts';
import { invalid } from '../../signing/verify-tag.ts';
import { nowSeconds } from '../tolerance.ts';
import { foldName, lookAlike, type ProtectedNames, protectNames } from './claim-names.ts';
import { isClaims, isKept, mistyped, problemOf, registered } from './claim-values.ts';

/** The configuration of a key set for its tokens. */
export interface ClaimPolicy {
  readonly issuer?: string | undefined;
  /** A new token names all of them. A received token must name at least one of them. */
  readonly audience?: string | readonly string[] | undefined;
  /** The longest time from `iat` to `exp` of a new token. */
  readonly maxLifetimeSeconds: number;
  /** How much the clocks may differ when `exp`, `nbf` and `iat` are checked. */
  readonly leewaySeconds: number;
  /** The names of claims that every token must have, with another value than null. */
  readonly requiredClaims: readonly string[];
  /** Claims that every token must have, with their values. */
  readonly fixedClaims: Claims;
  /** Admits an integer as `sub`, which RFC 7519 §4.1.2 does not. */
  readonly allowNumericSubject: boolean;
}

/** What the signer adds to the claims of a caller, and which names it protects. */
export interface ConfiguredClaims {
  /** The claims that the configuration adds to every token. */
  readonly claims: Claims;
  /** The names that no claim of a caller may resemble. */
  readonly protectedNames: ProtectedNames;
}

/** The registered claims that the signer sets or checks. */
interface RegisteredClaims {
  readonly iss?: string;
  readonly aud?: string | readonly string[];
  readonly exp?: number;
  readonly nbf?: number;
  readonly iat?: number;
}

/** The signer sets these from the configuration or the clock, so neither a caller nor `fixedClaims` may set them. */
const reserved: ReadonlySet<string> = new Set(['iss', 'aud', 'exp', 'iat']);
/** Of all claims as JSON. Servers do not accept headers in which a longer token would fit. */
export const maxClaimsBytes = 16 * 1024;
/** `iat` may be this far in the future, because the issuer's clock may run ahead of ours. */
const maxDriftSeconds = 60;

/** Why these cannot be the `fixedClaims` of a key set; undefined if they can. */
export function fixedClaimsProblem(claims: unknown, allowNumericSubject = false): string | undefined {
  if (!isClaims(claims)) return 'must be an object';
  const names = Object.keys(claims);
  const own = names.find((name) => reserved.has(name));
  if (own !== undefined)
    return `must not have ${own}, which the signer sets from another option or from its clock`;
  const another = namesProblem([...names, ...registered.keys()]);
  if (another !== undefined) return another;
  // A larger integer may already have lost digits when YAML was parsed.
  const isSafe = (number: number) => isKept(number) && Math.abs(number) <= Number.MAX_SAFE_INTEGER;
  return (problemOf(claims, isSafe) ?? mistyped(claims, allowNumericSubject))?.what;
}

/** Why these cannot be the `requiredClaims` of a key set with these `fixedClaims`; undefined if they can. */
export function requiredClaimsProblem(names: readonly string[], fixedClaims: Claims): string | undefined {
  return namesProblem([...names, ...Object.keys(fixedClaims), ...registered.keys()]);
}

function namesProblem(names: readonly string[]): string | undefined {
  const distinct = new Set(names);
  if (new Set([...distinct].map(foldName)).size === distinct.size) return undefined;
  return 'must not have two names that some receivers take for the same claim (letter case, accents, hyphens and underscores do not count), registered and fixed claims included; rename or remove one';
}

/** Prepares what `completeClaims` needs of a policy. */
export function configuredClaims({
  issuer,
  audience,
  fixedClaims,
  requiredClaims,
}: ClaimPolicy): ConfiguredClaims {
  return {
    claims: {
      ...fixedClaims,
      ...(issuer !== undefined && { iss: issuer }),
      ...(audience !== undefined && { aud: audience }),
    },
    protectedNames: protectNames(registered.keys(), Object.keys(fixedClaims), requiredClaims),
  };
}

/**
 * Completes the caller's claims with those of the configuration and the clock. The signer's own claims come last, and
 * each name appears once.
 * @param configured the result of `configuredClaims` for the same policy
 * @param nowMs milliseconds since the epoch
 * @throws {SignerError} `malformed_request`; `unprocessable` for claims that the policy does not allow
 */
export function completeClaims(
  { maxLifetimeSeconds, requiredClaims, allowNumericSubject }: ClaimPolicy,
  configured: ConfiguredClaims,
  claims: Claims,
  lifetimeSeconds: number,
  nowMs: number,
): Claims & { readonly exp: number } {
  const problem = problemOf(claims) ?? mistyped(claims, allowNumericSubject);
  if (problem !== undefined) throw new SignerError(problem.code, `field "claims": ${problem.what}`);
  if (lifetimeSeconds > maxLifetimeSeconds) {
    throw unprocessable(
      `field "lifetimeSeconds": must be at most ${maxLifetimeSeconds} (maxLifetimeSeconds)`,
    );
  }
  const repeated = repeatedClaims(configured, claims);
  const own = repeated.length === 0 ? claims : without(claims, repeated);
  const iat = nowSeconds(nowMs);
  const exp = iat + lifetimeSeconds;
  const complete = { ...own, ...configured.claims, iat, exp };
  const missing = requiredClaims.find((name) => !hasValue(complete, name));
  if (missing !== undefined)
    throw unprocessable(
      `field "claims": ${missing} is required by the configuration, with another value than null`,
    );
  if (Number(claims['nbf'] ?? 0) >= exp) {
    throw unprocessable('field "claims": nbf must be before the token expires');
  }
  return complete;
}

/**
 * Returns the names of those claims that repeat what the signer would set anyway, which a caller may do.
 * @throws {SignerError} if a claim contradicts the configuration, or resembles a protected one
 */
function repeatedClaims({ claims: configured, protectedNames }: ConfiguredClaims, claims: Claims): string[] {
  const repeated: string[] = [];
  let characters = 0;
  for (const name in claims) {
    // Bounds the cost of comparing names.
    characters += name.length;
    if (characters > maxClaimsBytes) throw claimsTooLarge();
    const original = lookAlike(protectedNames, name);
    if (original !== undefined) {
      throw unprocessable(
        `field "claims": must not have a name that some receivers would take for ${original}; write ${original} exactly, or leave it out`,
      );
    }
    if (!reserved.has(name) && !Object.hasOwn(configured, name)) continue;
    if (!isDeepStrictEqual(claims[name], configured[name])) {
      throw unprocessable(
        `field "claims": ${name} is set by the signer, from its configuration or clock; leave it out`,
      );
    }
    repeated.push(name);
  }
  return repeated;
}

function without(claims: Claims, names: readonly string[]): Claims {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !names.includes(name)));
}

/**
 * Checks the claims of a token whose signature is valid. Returns why the token is not accepted, or undefined if it is.
 * @param nowMs milliseconds since the epoch
 */
export function checkClaims(
  { issuer, audience, leewaySeconds, requiredClaims, fixedClaims, allowNumericSubject }: ClaimPolicy,
  claims: Claims,
  nowMs: number,
): Invalid | undefined {
  const problem = problemOf(claims) ?? mistyped(claims, allowNumericSubject);
  if (problem !== undefined) return invalid('malformed', `the claims: ${problem.what}`);
  const { iss, aud, exp, nbf, iat } = claims as RegisteredClaims;
  const now = nowMs / 1000;
  if (exp === undefined) return invalid('not_allowed', 'the token has no exp');
  if (now >= exp + leewaySeconds) return invalid('expired');
  if (nbf !== undefined && now < nbf - leewaySeconds) return invalid('not_yet_valid');
  if (iat !== undefined && now < iat - Math.max(leewaySeconds, maxDriftSeconds))
    return invalid('not_yet_valid');
  if (issuer !== undefined && iss !== issuer)
    return invalid('not_allowed', 'iss is not the configured issuer');
  if (!isFor(audience, aud)) return invalid('not_allowed', 'aud does not name a configured audience');
  const missing = requiredClaims.find((name) => !hasValue(claims, name));
  if (missing !== undefined) return invalid('not_allowed', `the token lacks the required claim ${missing}`);
  const asFixed = (name: string) =>
    Object.hasOwn(claims, name) && isDeepStrictEqual(claims[name], fixedClaims[name]);
  const other = Object.keys(fixedClaims).find((name) => !asFixed(name));
  return other === undefined ? undefined : invalid('not_allowed', `${other} is not as in fixedClaims`);
}

/** Null stands for an absent value: a receiver that reads it into a variable gets none. */
function hasValue(claims: Claims, name: string): boolean {
  return Object.hasOwn(claims, name) && claims[name] !== null && claims[name] !== undefined;
}

/** A token with `aud` is only for the audiences that it names (RFC 7519 §4.1.3). */
function isFor(audience: ClaimPolicy['audience'], aud: RegisteredClaims['aud']): boolean {
  if (audience === undefined || aud === undefined) return audience === aud;
  const accepted = [audience].flat();
  return [aud].flat().some((each) => accepted.includes(each));
}

export function claimsTooLarge(): SignerError {
  return new SignerError(
    'message_too_large',
    `the claims of a token have at most ${maxClaimsBytes} bytes as JSON`,
  );
}

function unprocessable(detail: string): SignerError {
  return new SignerError('unprocessable', detail);
}
