/** The values that claims may have: those that every program reads alike, and the types that RFC 7519 §4.1 registers. */

import type { Claims } from '../../api/messages.ts';
import { isText } from '../message.ts';

interface ClaimType {
  readonly fits: (value: unknown) => boolean;
  readonly shape: string;
}

const text: ClaimType = { fits: (value) => typeof value === 'string', shape: 'a string' };
const subject: ClaimType = {
  ...text,
  shape: 'a string (to admit integers, set allowNumericSubject in the configuration)',
};
const numericSubject: ClaimType = {
  fits: (value) => text.fits(value) || Number.isSafeInteger(value),
  shape: 'a string or an integer of at most 53 bits',
};
const numericDate: ClaimType = { fits: Number.isFinite, shape: 'a number of seconds' };
const audiences: ClaimType = {
  fits: (value) => text.fits(value) || (Array.isArray(value) && value.every(text.fits)),
  shape: 'a string or a list of strings',
};
/** The registered claims and their types. */
export const registered: ReadonlyMap<string, ClaimType> = new Map([
  ['iss', text],
  ['sub', subject],
  ['aud', audiences],
  ['exp', numericDate],
  ['nbf', numericDate],
  ['iat', numericDate],
  ['jti', text],
]);
const maxDepth = 32;

/** Whether a value is a JSON object. */
export function isClaims(value: unknown): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export interface ClaimProblem {
  readonly code: 'malformed_request' | 'unprocessable';
  readonly what: string;
}

/** Finds a value that another program could read differently; undefined if there is none. */
export function problemOf(value: unknown, fits = isKept, depth = 0): ClaimProblem | undefined {
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
export function isKept(number: number): boolean {
  return Number.isFinite(number) && !Object.is(number, -0);
}

/** Finds a registered claim of the wrong type. */
export function mistyped(claims: Claims, allowNumericSubject: boolean): ClaimProblem | undefined {
  for (const name in claims) {
    const type = name === 'sub' && allowNumericSubject ? numericSubject : registered.get(name);
    if (type !== undefined && !type.fits(claims[name])) return malformed(`${name} must be ${type.shape}`);
  }
  return undefined;
}

function malformed(what: string): ClaimProblem {
  return { code: 'malformed_request', what };
}
