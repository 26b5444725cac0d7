/** What an answer must look like. It may come from something other than a signer, which can send anything. */

import type { Problem } from '../api/errors.ts';
import type { Operation } from '../api/messages.ts';

/** A code that this version of the client does not know comes from a newer signer. */
const code = /^[a-z][a-z_]{0,63}$/;
/** No control character, line break or invisible character, which could forge lines where the text is logged. */
const line = /^[^\p{C}\p{Zl}\p{Zp}]{1,2000}$/u;
const seconds = /^\d{1,9}$/;

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
const isLine = (value: unknown): value is string => typeof value === 'string' && line.test(value);

/** Parses an answer or a problem, both of which are JSON objects. Undefined for anything else: a signer did not send it. */
export function parseAnswer(body: Uint8Array): object | undefined {
  try {
    const answer: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    return isObject(answer) && !Array.isArray(answer) ? answer : undefined;
  } catch {
    return undefined;
  }
}

/** The seconds of the header `Retry-After`; undefined if it has none. */
export function secondsOf(retryAfter: string | null): number | undefined {
  return retryAfter !== null && seconds.test(retryAfter) ? Number(retryAfter) : undefined;
}

export function isProblem(answer: unknown): answer is Problem {
  if (!isObject(answer)) return false;
  const problem: { readonly [Field in keyof Problem]?: unknown } = answer;
  const isStatus = problem.status === undefined || Number.isInteger(problem.status);
  const isKind = [problem.type, problem.title].every((text) => text === undefined || isLine(text));
  const isCode = typeof problem.code === 'string' && code.test(problem.code);
  return isCode && isLine(problem.detail) && isKind && isStatus;
}

/** Whether a caller can rely on `valid`. `"false"`, for instance, would count as true in a condition. */
function isVerification(answer: object): boolean {
  if (!('valid' in answer)) return false;
  const isReason = !('reason' in answer) || isLine(answer.reason);
  return typeof answer.valid === 'boolean' && isReason;
}

const isText = (value: unknown): boolean => typeof value === 'string';
const areTexts = (value: unknown): boolean =>
  isObject(value) && !Array.isArray(value) && Object.values(value).every(isText);

/** Where the formats put what they signed. */
const signedParts = new Map([
  ['signature', isText],
  ['token', isText],
  ['cookie', isText],
  ['url', isText],
  ['headers', areTexts],
  ['fields', areTexts],
]);

/** Whether a caller can pass on what was signed. `undefined`, for instance, could end up in a cookie as a word. */
function isSignature(answer: object): boolean {
  const parts = Object.entries(answer).flatMap(([name, value]) => signedParts.get(name)?.(value) ?? []);
  return 'keyId' in answer && isText(answer.keyId) && parts.length > 0 && !parts.includes(false);
}

/** Whether the answer to an operation can be relied on. */
export const isAnswerTo: Readonly<Record<Operation, (answer: object) => boolean>> = {
  sign: isSignature,
  verify: isVerification,
  challenge: (answer) => 'response' in answer && typeof answer.response === 'string',
};

/** Whether the results of a batch are complete, and each is an error or the answer to one item. */
export function hasResults(answer: object, length: number, operation: Operation): boolean {
  if (!('results' in answer && Array.isArray(answer.results) && answer.results.length === length))
    return false;
  return answer.results.every((result: unknown) => {
    if (!isObject(result)) return false;
    return 'error' in result ? isProblem(result.error) : isAnswerTo[operation](result);
  });
}

/** Whether an answer has the list of all key sets. */
export function hasKeySets(answer: object): boolean {
  return 'keys' in answer && Array.isArray(answer.keys) && answer.keys.every(isObject);
}
