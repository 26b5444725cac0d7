/** An HTTP request as a JSON request describes it, checked and taken apart: what the formats that sign requests cover. */

import * as z from 'zod/mini';
import { SignerError } from '../api/errors.ts';
import type { HttpHeaders, HttpRequest } from '../api/messages.ts';
import { headers, valuesByName } from './headers.ts';
import { messageBytes, messageEncoding } from './message.ts';

/** A request of which every part is as the other side sees it. */
export interface HttpMessage {
  readonly method: string;
  readonly scheme: string;
  /** RFC 9110 §4.2.3: in lower case, without the scheme's default port. */
  readonly authority: string;
  /** Begins with a slash and has no dot segments. */
  readonly path: string;
  /** Without the question mark; undefined where there is none. */
  readonly query: string | undefined;
  /** The values of each header as they were given, by its name in lower case. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  /** Undefined where there is none. */
  readonly body: Uint8Array | undefined;
}

/** The fields of a JSON request that describe one. */
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
  headers: given = {},
  body,
  encoding,
}: HttpRequest): HttpMessage {
  if (!/^[A-Z][A-Z-]{0,31}$/.test(method)) throw malformed('method', 'must be in upper case, as it is sent');
  return {
    method,
    ...parseUrl(url),
    fields: parseHeaders(given),
    body: body === undefined ? undefined : messageBytes('body', body, encoding),
  };
}

/**
 * The values of a header without what may change on the way (RFC 9421 §2.1): surrounding white space and obsolete line
 * folding. Undefined where it is absent, or has a character that no signature covers.
 */
export function fieldValues({ fields }: HttpMessage, name: string): readonly string[] | undefined {
  const values = fields.get(name)?.map(unfold) ?? [undefined];
  return values.every((value) => value !== undefined) ? values : undefined;
}

export function malformed(field: string, what: string): SignerError {
  return new SignerError('malformed_request', `field "${field}": ${what}`);
}

/** A dot segment beside a slash that is percent-encoded, which shows when somebody decodes the path before using it. */
const hiddenDotSegment = /(?:\/|%2f|%5c)(?:\.|%2e){1,2}(?:$|\/|%2f|%5c)/i;

/** More than servers usually take; beyond it, what is made of a query could fill the memory. */
const maxUrlLength = 16 * 1024;

/** What two programs could read in two ways is refused: a signature over one reading would be used for the other. */
function parseUrl(url: string): Pick<HttpMessage, 'scheme' | 'authority' | 'path' | 'query'> {
  const refuse = (what: string) => malformed('url', what);
  if (url.length > maxUrlLength) {
    throw new SignerError('message_too_large', `field "url": has at most ${maxUrlLength} characters`);
  }
  if (!/^[\x21-\x7e]*$/.test(url)) {
    throw refuse('must be printable ASCII without spaces; percent-encode everything else');
  }
  if (/%(?![0-9A-Fa-f]{2})/.test(url)) throw refuse('must have two hexadecimal digits after every "%"');
  if (/[#\\]/.test(url)) throw refuse('must not have a fragment or a backslash, which are not sent');
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

function parseHeaders(given: HttpHeaders): HttpMessage['fields'] {
  const fields = valuesByName(given);
  for (const name of fields.keys()) {
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) {
      throw malformed('headers', 'must have names that are tokens');
    }
  }
  return fields;
}

/** RFC 9112 §5.2. A line end that is not followed by white space would begin a line of what is signed. */
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
