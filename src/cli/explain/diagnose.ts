/** Verifies a received request as the signer would, and finds out why its signature is not valid. */

import { SignerError } from '../../api/errors.ts';
import { signatureHeader, targetHeaders } from '../../api/message-headers.ts';
import type { Verification, VerificationFailure } from '../../api/messages.ts';
import { webhookAlgorithms } from '../../formats/webhook/custom.ts';
import type { Scheme } from '../../formats/webhook/scheme.ts';
import { shownId } from '../../key-sets/key-id.ts';
import type { KeyReading } from '../../key-sets/readings.ts';
import type { KeySettings } from '../../key-sets/settings.ts';
import { feed } from '../../signing/format.ts';
import type { Algorithm, Key } from '../../signing/mac.ts';
import { otherBodies } from './bodies.ts';
import { type ClockProblem, clockProblem } from './clock.ts';
import type { Difference } from './difference.ts';
import { messagesOf } from './messages.ts';
import { notesOf, policyNotes } from './notes.ts';
import type { ReceivedRequest } from './request.ts';
import { type Candidate, rawHeader, schemeOf } from './schemes.ts';
import { type Match, type Message, search, type Tried } from './search.ts';
import { decodeSignature } from './signature-text.ts';
import { requestedUrl } from './targets.ts';

/** The key set that was asked about. */
export interface AskedKeySet {
  readonly name: string;
  readonly settings: KeySettings;
  /** The primary first; undefined if the key set cannot be loaded. */
  readonly keys: readonly [Key, ...Key[]] | undefined;
  /** Why it cannot be loaded. */
  readonly problems: readonly string[];
  /** The algorithm of its primary. */
  readonly algorithm: Algorithm;
  readonly readings: (algorithms: readonly Algorithm[]) => readonly KeyReading[];
}

export interface Diagnosis {
  readonly valid: boolean;
  readonly keySet: string;
  readonly format: string;
  readonly keyId?: string;
  readonly primary?: boolean;
  readonly reason?: VerificationFailure | 'not_loaded' | 'refused';
  /** Why the key set cannot be loaded, or what the signer answers to such a request. */
  readonly problems: readonly string[];
  /** Whether the signature matches with these differences; an empty list if none was found. */
  readonly matches: boolean;
  readonly differences: readonly Difference[];
  /** What is wrong with the time of a signature that matches. */
  readonly clock?: ClockProblem;
  readonly notes: readonly string[];
  /** How many hypotheses were tried and ruled out. */
  readonly tried?: { readonly [kind in 'keys' | 'bodies' | 'messages' | 'pairs']: number } & {
    readonly isBounded: boolean;
  };
  /** What the signature covers, to say what to look at next. */
  readonly covers: { readonly url: boolean; readonly time: boolean };
}

/** @returns undefined for a format that is not explained */
export function diagnose(
  keySet: AskedKeySet,
  received: ReceivedRequest,
  nowMs: number,
): Diagnosis | undefined {
  const { name, settings, algorithm } = keySet;
  const own = schemeOf(settings, algorithm);
  if (own === undefined) return undefined;
  const format = settings.format.name;
  const request = format === 'raw' ? withRawSignature(own, received) : received;
  const answer = verify(keySet, own.scheme, request, nowMs);
  const told = {
    keySet: name,
    format,
    covers: { url: own.scheme.members.size > 0, time: own.scheme.time !== undefined },
  };
  if ('valid' in answer && answer.valid) {
    const { keyId, primary } = answer;
    const notes = [...policyNotes(settings, request)];
    return {
      ...told,
      valid: true,
      keyId: shownId(keyId),
      primary,
      problems: [],
      matches: true,
      differences: [],
      notes,
    };
  }
  const reason = 'valid' in answer ? answer.reason : answer.refused;
  const problems = 'valid' in answer ? [] : answer.problems;
  const messages = messagesOf(own, format, request);
  const notes = notesOf(own.scheme, settings, request, messages);
  const keys = keySet.readings([...new Set([algorithm, ...webhookAlgorithms])]);
  const tried = search({ messages, keys, body: request.body, otherBodies: () => otherBodies(request) });
  const clock = tried.match && clockOf(tried.match, nowMs);
  return {
    ...told,
    valid: false,
    reason,
    problems,
    matches: tried.match !== undefined,
    differences: tried.match?.differences ?? [],
    ...(clock && { clock }),
    notes,
    tried: countsOf(tried, keys, messages),
  };
}

function clockOf({ message, body }: Match, nowMs: number): ClockProblem | undefined {
  return clockProblem(message.scheme, message.values, body, nowMs);
}

function countsOf(
  { bodies, pairs, isBounded }: Tried,
  keys: readonly KeyReading[],
  messages: readonly Message[],
): NonNullable<Diagnosis['tried']> {
  return { keys: keys.length, bodies, messages: messages.length, pairs, isBounded };
}

interface Refused {
  readonly refused: 'not_loaded' | 'refused';
  readonly problems: readonly string[];
}

/** As the signer does it, with the same code. */
function verify(
  { keys, settings: { format }, problems }: AskedKeySet,
  scheme: Scheme,
  request: ReceivedRequest,
  nowMs: number,
): Verification | Refused {
  if (keys === undefined) return { refused: 'not_loaded', problems };
  const context = { keys, now: nowMs, random: () => Buffer.alloc(0), checkSize: () => undefined };
  const { headers, method, body } = request;
  const header = (name: string) => {
    if (name === targetHeaders.url) return requestedUrl(request);
    return name === targetHeaders.method ? method : headers.get(name)?.join(', ');
  };
  try {
    return format.startVerification === undefined
      ? format.verify(context, jsonRequest(scheme, request))
      : feed(context, format.startVerification(context, header), body);
  } catch (error) {
    if (error instanceof SignerError) return { refused: 'refused', problems: [error.message] };
    throw error;
  }
}

/** For schemes that sign headers which an HTTP request to the signer has for itself. */
function jsonRequest({ members, carriers, signedHeaders }: Scheme, request: ReceivedRequest): object {
  const names = [...carriers.flatMap(({ reads, aliases }) => [...reads, ...aliases]), ...signedHeaders];
  const url = [...members].some((member) => member !== 'method') ? requestedUrl(request) : undefined;
  return {
    body: Buffer.from(request.body).toString('base64'),
    encoding: 'base64',
    headers: Object.fromEntries([...request.headers].filter(([name]) => names.includes(name))),
    ...(url !== undefined && { url }),
    ...(members.has('method') && { method: request.method }),
  };
}

/** Finds the header that has the signature: that of the HTTP API, or else one whose value is as long as a signature. */
function withRawSignature({ scheme }: Candidate, request: ReceivedRequest): ReceivedRequest {
  const own = request.headers.get(signatureHeader);
  const isNamed = (name: string) => /sign|hmac|digest|hash/.test(name);
  const looksRight = ([, [value = '']]: readonly [string, readonly string[]]) =>
    value.length <= 256 && decodeSignature(value, scheme).length > 0;
  const found =
    own ??
    [...request.headers]
      .filter(looksRight)
      .toSorted(([a], [b]) => Number(isNamed(b)) - Number(isNamed(a)))[0]?.[1];
  if (found === undefined) return request;
  const headers = new Map([...request.headers, [rawHeader.toLowerCase(), found], [signatureHeader, found]]);
  return { ...request, headers };
}
