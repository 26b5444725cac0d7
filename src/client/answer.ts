/** What an answer must look like. It may come from something other than a signer, which can send anything. */

import type { Problem } from '../api/errors.ts';
import type { ChallengeAnswer, Operation } from '../api/messages.ts';

/** A code that this version of the client does not know comes from a newer signer. */
const code = /^[a-z][a-z_]{0,63}$/;
/** No control character, line break or invisible character, which could forge lines where the text is logged. */
const line = /^[^\p{C}\p{Zl}\p{Zp}]{1,2000}$/u;
const seconds = /^\d{1,9}$/;

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isLine = (value: unknown): value is string => typeof value === 'string' && line.test(value);

/** Parses an answer or a problem, both of which are JSON objects. Undefined for anything else: a signer did not send it. */
export function parseAnswer(body: Uint8Array): object | undefined {
  try {
    const answer: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    return isObject(answer) ? answer : undefined;
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

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const areTexts = (value: unknown): boolean =>
  isObject(value) && Object.keys(value).length > 0 && Object.values(value).every(isText);

/** The member that holds the result of signing, for the formats that do not return `headers`. */
const signed = new Map([
  ['raw', 'signature'],
  ['jwt', 'token'],
  ['cookie', 'cookie'],
  ['signed-url', 'url'],
]);

/** Whether a caller can send what was signed. Without this check, a missing token could be set as the cookie `undefined`. */
function isSignature(answer: object, format: string): boolean {
  const parts = new Map<string, unknown>(Object.entries(answer));
  if (!isLine(parts.get('keyId'))) return false;
  // The format returns headers, a presigned URL, or a form: the URL and its fields.
  if (format === 'aws-sigv4' && parts.has('url')) {
    return isText(parts.get('url')) && (!parts.has('fields') || areTexts(parts.get('fields')));
  }
  const part = signed.get(format);
  return part === undefined ? areTexts(parts.get('headers')) : isText(parts.get(part));
}

/** Whether a caller can rely on `valid`. `"false"`, for instance, would count as true in a condition. */
function isVerification(answer: object, format: string): boolean {
  if (!('valid' in answer) || typeof answer.valid !== 'boolean') return false;
  if ('reason' in answer && !isLine(answer.reason)) return false;
  if (!answer.valid) return true;
  if (format === 'jwt') return 'claims' in answer && isObject(answer.claims);
  if (format === 'cookie') return 'value' in answer && typeof answer.value === 'string';
  if (format === 'signed-url') return 'expiresAt' in answer && isText(answer.expiresAt);
  return true;
}

export function isChallengeAnswer(answer: object): answer is ChallengeAnswer {
  return 'response' in answer && typeof answer.response === 'string';
}

/** Whether a caller can rely on the answer to an operation, by the format of the key set. */
export const isAnswerTo: Readonly<Record<Operation, (answer: object, format: string) => boolean>> = {
  sign: isSignature,
  verify: isVerification,
  challenge: isChallengeAnswer,
};

/** Whether the results of a batch are complete, and each is an error or the answer to one item. */
export function hasResults(answer: object, length: number, isAnswer: (answer: object) => boolean): boolean {
  if (!('results' in answer && Array.isArray(answer.results) && answer.results.length === length))
    return false;
  return answer.results.every((result: unknown) => {
    if (!isObject(result)) return false;
    return 'error' in result ? isProblem(result.error) : isAnswer(result);
  });
}

/** Whether an answer has the list of all key sets. */
export function hasKeySets(answer: object): boolean {
  return 'keys' in answer && Array.isArray(answer.keys) && answer.keys.every(isObject);
}
