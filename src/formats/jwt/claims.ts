/**
 * The claims of a JWT (RFC 7519 §4): how the signer completes the claims of a caller, and how it checks those of a token,
 * by the policy of the key set.
 */

import { isDeepStrictEqual } from 'node:util';
import { SignerError } from '../../api/errors.ts';
import type { Claims, VerificationFailure } from '../../api/messages.ts';
import { isText } from '../message.ts';
import { nowSeconds } from '../tolerance.ts';

/** The configuration of a key set for its tokens. */
export interface ClaimPolicy {
  readonly issuer?: string | undefined;
  /** A new token names all of them. A received token must name at least one of them. */
  readonly audience?: string | readonly string[] | undefined;
  /** The longest time from `iat` to `exp` of a new token. */
  readonly maxLifetimeSeconds: number;
  /** How much the clocks may differ when `exp`, `nbf` and `iat` are checked. */
  readonly leewaySeconds: number;
  /** The names of claims that every token must have. */
  readonly requiredClaims: readonly string[];
  /** Claims that every token must have, with their values. */
  readonly fixedClaims: Claims;
}

/** The registered claims that the signer sets or checks. */
interface RegisteredClaims {
  readonly iss?: string;
  readonly aud?: string | readonly string[];
  readonly exp?: number;
  readonly nbf?: number;
  readonly iat?: number;
}

const text = { fits: (value: unknown) => typeof value === 'string', shape: 'a string' };
const numericDate = { fits: Number.isFinite, shape: 'a number of seconds' };
const audiences = {
  fits: (value: unknown) => text.fits(value) || (Array.isArray(value) && value.every(text.fits)),
  shape: 'a string or a list of strings',
};
/** The registered claims and their types (RFC 7519 §4.1). */
const registered = new Map([
  ['iss', text],
  ['sub', text],
  ['aud', audiences],
  ['exp', numericDate],
  ['nbf', numericDate],
  ['iat', numericDate],
  ['jti', text],
]);
/** The signer sets these from the configuration or the clock, so neither a caller nor `fixedClaims` may set them. */
const reserved: ReadonlySet<string> = new Set(['iss', 'aud', 'exp', 'iat']);
const maxDepth = 32;
/** `iat` may be this far in the future, because the issuer's clock may run ahead of ours. */
const maxDriftSeconds = 60;

/** Whether a value is a JSON object. */
export function isClaims(value: unknown): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Why these cannot be the `fixedClaims` of a key set; undefined if they can. */
export function fixedClaimsProblem(claims: unknown): string | undefined {
  if (!isClaims(claims)) return 'must be an object';
  const own = Object.keys(claims).find((name) => reserved.has(name));
  if (own !== undefined)
    return `must not have ${own}, which the signer sets from another option or from its clock`;
  // A larger integer may already have lost digits when YAML was parsed.
  const isSafe = (number: number) => isKept(number) && Math.abs(number) <= Number.MAX_SAFE_INTEGER;
  return (problemOf(claims, isSafe) ?? mistyped(claims))?.what;
}

/** The claims that the configuration adds to every token. */
export function configuredClaims({ issuer, audience, fixedClaims }: ClaimPolicy): Claims {
  return {
    ...fixedClaims,
    ...(issuer !== undefined && { iss: issuer }),
    ...(audience !== undefined && { aud: audience }),
  };
}

/**
 * Completes the caller's claims with those of the configuration and the clock.
 * @param configured the result of `configuredClaims` for the same policy
 * @param nowMs milliseconds since the epoch
 * @throws {SignerError} `malformed_request`; `unprocessable` for claims that the policy does not allow
 */
export function completeClaims(
  { maxLifetimeSeconds, requiredClaims }: ClaimPolicy,
  configured: Claims,
  claims: Claims,
  lifetimeSeconds: number,
  nowMs: number,
): Claims & { readonly exp: number } {
  const problem = problemOf(claims) ?? mistyped(claims);
  if (problem !== undefined) throw new SignerError(problem.code, `field "claims": ${problem.what}`);
  if (lifetimeSeconds > maxLifetimeSeconds) {
    throw unprocessable(
      `field "lifetimeSeconds": must be at most ${maxLifetimeSeconds} (maxLifetimeSeconds)`,
    );
  }
  for (const name in claims) {
    if (!reserved.has(name) && !Object.hasOwn(configured, name)) continue;
    // A caller may repeat the value that the signer would set.
    if (isDeepStrictEqual(claims[name], configured[name])) continue;
    throw unprocessable(
      `field "claims": ${name} is set by the signer, from its configuration or clock; leave it out`,
    );
  }
  const iat = nowSeconds(nowMs);
  const complete = { ...claims, ...configured, iat, exp: iat + lifetimeSeconds };
  const missing = requiredClaims.find((name) => !Object.hasOwn(complete, name));
  if (missing !== undefined)
    throw unprocessable(`field "claims": ${missing} is required by the configuration`);
  if (Number(claims['nbf'] ?? 0) >= complete.exp) {
    throw unprocessable('field "claims": nbf must be before the token expires');
  }
  return complete;
}

/**
 * Checks the claims of a token whose signature is valid. Returns why the token is not accepted, or undefined if it is.
 * @param nowMs milliseconds since the epoch
 */
export function checkClaims(
  { issuer, audience, leewaySeconds, requiredClaims, fixedClaims }: ClaimPolicy,
  claims: Claims,
  nowMs: number,
): VerificationFailure | undefined {
  if (problemOf(claims) !== undefined || mistyped(claims) !== undefined) return 'malformed';
  const { iss, aud, exp, nbf, iat } = claims as RegisteredClaims;
  const now = nowMs / 1000;
  if (exp === undefined) return 'not_allowed';
  if (now >= exp + leewaySeconds) return 'expired';
  if (nbf !== undefined && now < nbf - leewaySeconds) return 'not_yet_valid';
  if (iat !== undefined && now < iat - Math.max(leewaySeconds, maxDriftSeconds)) return 'not_yet_valid';
  if (issuer !== undefined && iss !== issuer) return 'not_allowed';
  if (!isFor(audience, aud)) return 'not_allowed';
  if (!requiredClaims.every((name) => Object.hasOwn(claims, name))) return 'not_allowed';
  const asFixed = ([name, value]: [string, unknown]) =>
    Object.hasOwn(claims, name) && isDeepStrictEqual(claims[name], value);
  return Object.entries(fixedClaims).every(asFixed) ? undefined : 'not_allowed';
}

/** A token with `aud` is only for the audiences that it names (RFC 7519 §4.1.3). */
function isFor(audience: ClaimPolicy['audience'], aud: RegisteredClaims['aud']): boolean {
  if (audience === undefined || aud === undefined) return audience === aud;
  const accepted = [audience].flat();
  return [aud].flat().some((each) => accepted.includes(each));
}

interface ClaimProblem {
  readonly code: 'malformed_request' | 'unprocessable';
  readonly what: string;
}

/** Finds a value that another program could read differently; undefined if there is none. */
function problemOf(value: unknown, fits = isKept, depth = 0): ClaimProblem | undefined {
  if (typeof value === 'string') {
    return isText(value) ? undefined : malformed('must contain only well-formed Unicode text without NUL');
  }
  if (typeof value === 'number') {
    if (fits(value)) return undefined;
    return {
      code: 'unprocessable',
      what: 'contains a number that JSON does not preserve; write it as a string',
    };
  }
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth >= maxDepth) {
    return { code: 'unprocessable', what: `must not be nested deeper than ${maxDepth} levels` };
  }
  if (Array.isArray(value)) {
    for (const element of value) {
      const problem = problemOf(element, fits, depth + 1);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
  const members = value as Claims;
  // `Object.entries` would cost more than the rest of the check. Values from JSON inherit no enumerable members.
  for (const name in members) {
    if (name === '__proto__') return malformed('must not have a member named __proto__');
    const problem = problemOf(name) ?? problemOf(members[name], fits, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Whether `JSON.stringify` writes the number with its own value. */
function isKept(number: number): boolean {
  return Number.isFinite(number) && !Object.is(number, -0);
}

/** Finds a registered claim of the wrong type. */
function mistyped(claims: Claims): ClaimProblem | undefined {
  for (const name in claims) {
    const type = registered.get(name);
    if (type !== undefined && !type.fits(claims[name])) return malformed(`${name} must be ${type.shape}`);
  }
  return undefined;
}

function malformed(what: string): ClaimProblem {
  return { code: 'malformed_request', what };
}

function unprocessable(detail: string): SignerError {
  return new SignerError('unprocessable', detail);
}
