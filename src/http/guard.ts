/**
 * Decides from the request line and headers, before any routing, whether a caller is served at all. It stops browsers, DNS
 * rebinding and server-side request forgery. The policy decides what a program that knows the protocol may do.
 */

import { SignerError } from '../api/errors.ts';
import { foreignHeaders } from '../api/foreign-headers.ts';
import { type MediaType, mediaTypeOf } from './media.ts';
import { pathList } from './paths.ts';
import { notFound } from './problem.ts';

/**
 * @param path of the request, as `pathOf` derives it
 * @returns what the body is; undefined if the request needs none
 * @throws {SignerError} for a request that must not reach a handler
 */
export type Guard = (request: Request, path: string) => MediaType | undefined;

/** RFC 3986 §3.2.2, §3.2.3, without the comma, which separates the values of a repeated header. */
const hostPattern = /^(?:\[[0-9A-Fa-f:.]+\]|(?:[\w.!$&'()*+;=~-]|%[0-9A-Fa-f]{2})*)(?::\d*)?$/;
const pathPattern = /^\/v1\/[A-Za-z0-9._/-]*$/;
/** A query, a fragment, an invalid escape, NUL or non-ASCII, which no client of this API sends. */
const malformedPath = /[?#]|%00|%(?![0-7][0-9A-Fa-f])/;
/** A list of protocols, of which each may have a version (RFC 9110 §7.8). */
const webSocket = /(?:^|,)[ \t]*websocket[ \t]*(?:[/,]|$)/i;

/**
 * @param hosts the exact values of `Host` that are served: `name:port`, or the bare name. Without it, as on a Unix socket,
 * every well-formed or empty one is: neither a browser nor DNS rebinding reaches a socket
 */
export function createGuard(hosts?: ReadonlySet<string>): Guard {
  const checkHost = hosts === undefined ? checkAnyHost : checkHostAmong(hosts);
  return (request, path) => {
    const { headers } = request;
    checkHost(headers.get('host'));
    if (!pathPattern.test(path)) throw foreignPath(path);
    headers.forEach(checkHeader);
    if (headers.get('sec-signer') !== '1') throw forbidden('the header "Sec-Signer: 1" is required');
    return request.method === 'POST' ? mediaTypeOf(request) : undefined;
  };
}

function checkHostAmong(hosts: ReadonlySet<string>): (host: string | null) => void {
  return (host) => {
    if (host === null || host === '') throw malformedHost();
    if (hosts.has(host)) return;
    if (!hostPattern.test(host)) throw malformedHost();
    throw forbidden(
      'the Host header must be a loopback name with the port of the signer; allow others with --allowed-host',
    );
  };
}

/** HTTP/1.0 has requests without a Host. */
function checkAnyHost(host: string | null): void {
  if (host !== null && !hostPattern.test(host)) throw malformedHost();
}

/** The error for every path that does not exist. */
export function noSuchPath(): SignerError {
  return notFound(`the paths are ${pathList}`);
}

function malformedHost(): SignerError {
  return malformed('exactly one well-formed Host header is required');
}

function foreignPath(path: string): SignerError {
  return malformedPath.test(path) ? malformed('the path takes no query, fragment or escape') : noSuchPath();
}

function checkHeader(value: string, name: string): void {
  if (name.startsWith('x-forwarded-')) throw foreign('X-Forwarded-*');
  if (foreignHeaders.has(name)) throw foreign(name);
  if (name === 'content-encoding') {
    throw new SignerError(
      'unsupported_media_type',
      'a body must not be compressed; send it without Content-Encoding',
    );
  }
  // Other upgrades are ignored (RFC 9110 §7.8). A client that asks for a WebSocket can go on with nothing else.
  if (name === 'upgrade' && webSocket.test(value)) {
    throw malformed('the signer has no WebSocket; send a plain request without "Upgrade: websocket"');
  }
  if (name === 'content-length' && !/^\d{1,15}$/.test(value)) {
    throw malformed('exactly one Content-Length header is expected');
  }
}

function foreign(header: string): SignerError {
  return forbidden(
    `the header "${header}" is refused, because browsers and proxies add it; call the signer directly`,
  );
}

function forbidden(detail: string): SignerError {
  return new SignerError('forbidden_caller', detail);
}

function malformed(detail: string): SignerError {
  return new SignerError('malformed_request', detail);
}
