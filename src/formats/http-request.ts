/** Checks and parses the HTTP request that a JSON request describes, for the formats that sign HTTP requests. */

import * as z from 'zod/mini';
import { malformedField, SignerError } from '../api/errors.ts';
import type { HttpHeaders, HttpRequest } from '../api/messages.ts';
import { headers, valuesByName } from './headers.ts';
import { messageBytes, messageEncoding } from './message.ts';

/** An HTTP request in parts. Each part is what the receiver will see, so that both sides sign the same text. */
export interface HttpMessage {
  readonly method: string;
  readonly scheme: string;
  /** In lower case, without the default port of the scheme (RFC 9110 §4.2.3). */
  readonly authority: string;
  /** Begins with a slash, and has no dot segments. */
  readonly path: string;
  /** Without the question mark; undefined if the URL has none. */
  readonly query: string | undefined;
  /** The values of each header, unchanged, by its name in lower case. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  readonly body: Uint8Array | undefined;
}

/** The methods that can be signed: in upper case, as they are sent. */
export const methodPattern = /^[A-Z][A-Z-]{0,31}$/;

/** A token (RFC 9110 §5.6.2) in lower case. */
export const headerNamePattern = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/** The fields of a JSON request that describe an HTTP request. */
export const httpRequestFields = {
  method: z.string(),
  url: z.string(),
  headers: z.optional(headers),
  body: z.optional(z.string()),
  encoding: messageEncoding,
};

/** @throws {SignerError} `malformed_request`, `message_too_large` */
export function parseHttpRequest({
  method,
  url,
  headers: fields = {},
  body,
  encoding,
}: HttpRequest): HttpMessage {
  if (!methodPattern.test(method)) throw malformedField('method', 'must be in upper case, as it is sent');
  return {
    method,
    ...parseUrl(url),
    fields: parseHeaders(fields),
    body: body === undefined ? undefined : messageBytes('body', body, encoding),
  };
}

/**
 * The values of a header without surrounding white space and obsolete line folding, which proxies may change (RFC 9421
 * §2.1). Undefined if the header is absent, or has characters that cannot be signed.
 */
export function fieldValues({ fields }: HttpMessage, name: string): readonly string[] | undefined {
  const values = fields.get(name)?.map(unfold) ?? [undefined];
  return values.every((value) => value !== undefined) ? values : undefined;
}

/** A dot segment next to an encoded slash. It takes effect if a server decodes the path before it uses it. */
const hiddenDotSegment = /(?:\/|%2f|%5c)(?:\.|%2e){1,2}(?:$|\/|%2f|%5c)/i;

/** Few servers accept a longer URL, and the limit bounds the memory that parsing needs. */
const maxSignedUrlLength = 16 * 1024;

/** Refuses a URL that two programs could read differently: a signature for one reading could be used for the other. */
function parseUrl(url: string): Pick<HttpMessage, 'scheme' | 'authority' | 'path' | 'query'> {
  const refuse = (what: string) => malformedField('url', what);
  if (url.length > maxSignedUrlLength) {
    throw new SignerError('message_too_large', `field "url": has at most ${maxSignedUrlLength} characters`);
  }
  if (!/^[\x21-\x7e]*$/.test(url)) {
    throw refuse('must be printable ASCII without spaces; percent-encode all other characters');
  }
  if (/%(?![0-9A-Fa-f]{2})/.test(url)) throw refuse('must have two hexadecimal digits after each "%"');
  if (/[#\\]/.test(url)) throw refuse('must not have a fragment or a backslash, which clients do not send');
  const [, start, authority = '', path = '/', , query] =
    /^(https?:\/\/)([^/?]+)(\/[^?]*)?(\?(.*))?$/i.exec(url) ?? [];
  if (start === undefined) throw refuse('must be absolute and begin with https:// or http://');
  if (authority.includes('@')) throw refuse('must not have a user name or a password');
  const parsed = URL.parse(`${start}${authority}${path}`);
  const host = authority.replace(/:\d*$/, '').toLowerCase();
  if (parsed === null || host === '' || parsed.hostname !== host) {
    throw refuse('must have a host as it is sent: a name in ASCII, or an address in its usual form');
  }
  if (parsed.pathname !== path || hiddenDotSegment.test(path)) {
    throw refuse('must have a path as it is sent: without dot segments, special characters percent-encoded');
  }
  return { scheme: parsed.protocol.slice(0, -1), authority: parsed.host, path, query };
}

function parseHeaders(headers: HttpHeaders): HttpMessage['fields'] {
  const fields = valuesByName(headers);
  for (const name of fields.keys()) {
    if (!headerNamePattern.test(name)) {
      throw malformedField('headers', 'must have header names that are tokens (RFC 9110, section 5.6.2)');
    }
  }
  return fields;
}

/**
 * Replaces obsolete line folding by spaces (RFC 9112 §5.2). Refuses every other line end, which would add a line to the
 * signed text.
 */
function unfold(value: string): string | undefined {
  const lines = value.split('\r\n');
  const isPart = (line: string, index: number) =>
    (index === 0 ? /^[\t\x20-\x7e]*$/ : /^[\t ][\t\x20-\x7e]*$/).test(line);
  if (!lines.every(isPart)) return undefined;
  return lines
    .map((line) => line.trim())
    .join(' ')
    .trim();
}
