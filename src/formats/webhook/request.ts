/** What a request tells beside the body: members of a JSON request, or headers if the message itself is the body. */

import * as z from 'zod/mini';
import { malformedField } from '../../api/errors.ts';
import { targetHeaders } from '../../api/message-headers.ts';
import type {
  MessageId,
  WebhookSignRequest,
  WebhookTarget,
  WebhookVerifyRequest,
} from '../../api/messages.ts';
import type { HeaderLookup } from '../../signing/format.ts';
import { text } from '../answers.ts';
import { headers } from '../headers.ts';
import { isText, messageEncoding } from '../message.ts';
import { matcherOf } from './language.ts';
import type { Scheme } from './scheme.ts';
import { type RequestVariable, requestLanguages } from './variables.ts';

type Target = { readonly [Part in keyof WebhookTarget]?: WebhookTarget[Part] | undefined };

/** What a sender or a receiver tells about the message. */
export interface Told extends MessageId, Target {
  /** The headers that come with the message. */
  readonly header: HeaderLookup;
}

/** Values by the name of their variable. */
export type Values = Record<string, string>;

/** What decides which members a request has. */
type Needs = Pick<Scheme, 'sends' | 'members' | 'signedHeaders'>;

/** @param header of the HTTP request to the signer. Only what the scheme needs is looked up */
export function toldByHeaders({ members }: Needs, header: HeaderLookup): Told {
  const needsUrl = [...members].some((member) => member !== 'method');
  return {
    ...(needsUrl && { url: header(targetHeaders.url) }),
    ...(members.has('method') && { method: header(targetHeaders.method) }),
    header,
  };
}

const part = z.optional(text);
/** A number alone could be the time with which the strings of another scheme begin. */
export const newIdPattern = /^(?![0-9]+$)[A-Za-z0-9_-]{1,256}$/;
export const newIdRule = 'must be 1 to 256 of A-Z a-z 0-9 _ - without a dot, and not a number alone';
export const newId = z.optional(text.check(z.regex(newIdPattern, newIdRule)));

/** The schemas of the requests of a scheme. */
export interface Requests {
  readonly sign: z.ZodMiniType<WebhookSignRequest>;
  readonly verify: z.ZodMiniType<WebhookVerifyRequest>;
}

/** Most schemes need the same members, and share their schemas. */
const made = new Map<string, Requests>();

/** The schemas of requests, with the members that the scheme needs and no others. */
export function requestsOf({ sends, members, signedHeaders }: Needs): Requests {
  const needs = [...members, sends.has('id') && 'id', signedHeaders.length > 0 && 'headers'].join();
  const known = made.get(needs);
  if (known !== undefined) return known;
  const urlParts = [...members].filter((member) => member !== 'url' && member !== 'method');
  const needsUrl = members.has('url');
  const shape = {
    body: text,
    encoding: messageEncoding,
    ...(members.has('method') && { method: text }),
    ...(needsUrl ? { url: text } : urlParts.length > 0 && { url: part }),
    ...(!needsUrl && Object.fromEntries(urlParts.map((member) => [member, part]))),
  };
  const sign = {
    ...shape,
    ...(sends.has('id') && { id: newId }),
    ...(signedHeaders.length > 0 && { headers }),
  };
  const requests = { sign: z.strictObject(sign), verify: z.strictObject({ ...shape, headers }) };
  made.set(needs, requests);
  return requests;
}

const rules: Readonly<Record<RequestVariable, string>> = {
  method: 'must be the method of the request in upper case',
  url: 'must be the URL as it was requested: printable ASCII, no fragment, and no "?" at its end',
  path: 'must be the path as it was requested: it begins with a slash, without a query',
  query: 'must be the query as it was requested, without the question mark',
  host: 'must be the host as it was requested, perhaps with a port',
};
const accepts = (member: RequestVariable): RegExp => matcherOf(requestLanguages[member]);
const patterns: Readonly<Record<RequestVariable, RegExp>> = {
  method: accepts('method'),
  url: accepts('url'),
  path: accepts('path'),
  query: accepts('query'),
  host: accepts('host'),
};

/**
 * The values of the variables that the request must tell.
 * @returns `missing` if a header that is signed is absent
 * @throws {SignerError} `malformed_request`
 */
export function requestValues({ members, signedHeaders }: Scheme, told: Told): Values | 'missing' {
  const values: Values = {};
  if (members.size > 0) {
    const ofUrl = told.url === undefined ? undefined : urlParts(told.url);
    for (const member of members) values[member] = memberValue(member, told, ofUrl);
  }
  for (const name of signedHeaders) {
    const value = told.header(name);
    if (value === undefined) return 'missing';
    if (/[\r\n]/.test(value) || !isText(value)) {
      const rule = 'must be well-formed Unicode without line breaks or NUL in a header that is signed';
      throw malformedField('headers', rule);
    }
    values[`header:${name}`] = value;
  }
  return values;
}

function memberValue(member: RequestVariable, told: Told, ofUrl: UrlParts | undefined): string {
  const own = told[member];
  if (member !== 'url' && member !== 'method' && own !== undefined && ofUrl !== undefined) {
    throw malformedField(member, 'must not be given beside "url", which holds it already');
  }
  const value =
    own ??
    ofUrl?.[member as keyof UrlParts] ??
    (member === 'query' && told.path !== undefined ? '' : undefined);
  const { [member]: rule } = rules;
  if (value === undefined) {
    const where =
      member === 'url' || member === 'method'
        ? ` (or the header ${targetHeaders[member]})`
        : `, or "url" (the header ${targetHeaders.url}) must hold it`;
    throw malformedField(member, `is missing${where}; it ${rule}`);
  }
  // Two texts that are not well formed could be the same bytes.
  if (patterns[member].test(value) && isText(value)) return value;
  throw own === undefined ? malformedField('url', rules.url) : malformedField(member, rule);
}

type UrlParts = { readonly [Part in 'path' | 'query' | 'host']: string | undefined };

/** Splits an absolute URL, or what stands in a request line. Nothing is decoded or normalised. */
function urlParts(url: string): UrlParts {
  const [match, host, path, query = ''] =
    /^(?:[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?]+))?(\/[^?]*)?(?:\?(.*))?$/.exec(url) ?? [];
  if (match === undefined || !patterns.url.test(url)) throw malformedField('url', rules.url);
  return { host, path: path ?? (host === undefined ? undefined : '/'), query };
}
