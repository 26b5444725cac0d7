/** What is noticeable about a request, whether or not it explains the signature. */

import { providers } from '../../api/providers.ts';
import { type Provider, receivedNames } from '../../api/webhook-scheme.ts';
import type { Scheme } from '../../formats/webhook/scheme.ts';
import type { KeySettings } from '../../key-sets/settings.ts';
import { tagBytes } from '../../signing/mac.ts';
import { countBytes } from './difference.ts';
import { isLargeJson } from './json-bodies.ts';
import type { ReceivedRequest } from './request.ts';
import type { Message } from './search.ts';
import { requestedUrl } from './targets.ts';

/** Each is a whole sentence. */
export function notesOf(
  scheme: Scheme,
  settings: KeySettings,
  request: ReceivedRequest,
  messages: readonly Message[],
): readonly string[] {
  return [
    ...missingHeaders(scheme, request, settings.format.name),
    ...lengthNotes(scheme, messages),
    ...bodyNotes(request),
    ...[...request.folded].map(
      (name) => `The header ${name} was written on several lines; whoever wrote the file may have broken it.`,
    ),
    ...targetNotes(scheme, request),
    ...policyNotes(settings, request),
  ];
}

/** Why the signer would refuse to verify even a request whose signature is valid. */
export function* policyNotes({ policy }: KeySettings, { body }: ReceivedRequest): Generator<string> {
  if (!policy.allow.includes('verify')) {
    yield 'This key set is not allowed to verify ("allow"), so the signer refuses each request to do so.';
  }
  if (body.length > policy.maxMessageBytes) {
    yield `The body is longer than the key set allows (maxMessageBytes: ${policy.maxMessageBytes}).`;
  }
}

function* missingHeaders(scheme: Scheme, { headers }: ReceivedRequest, format: string): Generator<string> {
  // In raw, any header may hold the signature.
  if (format === 'raw') return;
  const isThere = (names: readonly string[]) => names.some((name) => headers.has(name));
  for (const { isNeeded, reads, aliases, names } of scheme.carriers) {
    if (isNeeded && !isThere([...reads, ...aliases])) yield `The header ${names[0]} is missing.`;
  }
  for (const name of scheme.signedHeaders) {
    if (!headers.has(name)) yield `The header ${name}, which is signed, is missing.`;
  }
  if (scheme.carriers.every(({ reads, aliases }) => !isThere([...reads, ...aliases]))) {
    const entries: readonly (readonly [string, Provider])[] = Object.entries(providers);
    const found = entries.filter(([, each]) => isThere(receivedNames(each))).map(([name]) => name);
    if (found.length > 0) yield `The request has headers that these formats read: ${found.join(', ')}.`;
  }
}

function* lengthNotes({ algorithm }: Scheme, messages: readonly Message[]): Generator<string> {
  const lengths = new Set(messages[0]?.tags.map(({ bytes }) => bytes.length));
  if (lengths.size === 0 || lengths.has(tagBytes(algorithm))) return;
  const found = [...lengths].map(countBytes).join(' or ');
  yield `The signature has ${found}, and a signature by ${algorithm} has ${countBytes(tagBytes(algorithm))}.`;
}

function* bodyNotes({ body, headers }: ReceivedRequest): Generator<string> {
  const length = headers.get('content-length')?.[0] ?? '';
  if (/^\d{1,15}$/.test(length) && Number(length) !== body.length) {
    yield `Content-Length says ${countBytes(Number(length))}, and the body has ${body.length}: it was cut, decoded or changed, or the file goes on behind it.`;
  }
  if (headers.has('content-encoding')) {
    yield 'The request has Content-Encoding: most senders sign the body before it is compressed, and some after.';
  }
  if (/json/.test(headers.get('content-type')?.[0] ?? 'json') && isLargeJson(body)) {
    yield 'The body is too long to be tried as JSON that was written anew.';
  }
  if (body.length === 0) yield 'The body is empty.';
}

function* targetNotes({ members }: Scheme, request: ReceivedRequest): Generator<string> {
  const isUrlSigned = [...members].some((member) => member !== 'method');
  if (members.has('method') && request.method === undefined) {
    yield 'The method is signed, and the request does not tell it; give it with --method.';
  }
  if (isUrlSigned && requestedUrl(request) === undefined) {
    yield 'The URL is signed, and the request does not tell it; give it with --url, as the sender called it.';
  } else if (isUrlSigned && request.url === undefined) {
    yield 'The URL is signed. It is made of the request line and of Host; if the sender called another, give that with --url.';
  }
}
