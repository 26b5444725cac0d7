/**
 * Decides from the request line and headers, before any routing, whether a caller is served at all. It stops browsers, DNS
 * rebinding and server-side request forgery. The policy decides what a program that knows the protocol may do.
 */

import { SignerError } from '../api/errors.ts';
import { pathList } from './paths.ts';
import { notFound } from './problem.ts';

/** @throws {SignerError} for a request that must not reach a handler */
export type Guard = (request: Request) => void;

/** Browsers and proxies send these; an application that calls the signer directly does not. */
const foreignHeaders = new Set(['origin', 'referer', 'sec-fetch-site', 'forwarded', 'via', 'x-real-ip']);
const hostPattern = /^[A-Za-z0-9.:[\]_-]+$/;
const pathPattern = /^\/v1\/[A-Za-z0-9._/-]*$/;
/** A query, a fragment, an invalid escape, NUL or non-ASCII, which no client of this API sends. */
const malformedPath = /[?#]|%00|%(?![0-7][0-9A-Fa-f])/;
const contentTypes = /^(?:application\/octet-stream|application\/json(?:; ?charset=utf-8)?)$/i;

/** @param hosts the exact values of `Host` that are served: `name:port`, or the bare name */
export function createGuard(hosts: ReadonlySet<string>): Guard {
  return (request) => {
    const { headers } = request;
    const host = headers.get('host');
    if (host === null || !hosts.has(host)) throw foreignHost(host);
    // Without a valid Host the runtime builds another URL, in which a router would find another path.
    const origin = `http://${host}/`;
    if (!request.url.startsWith(origin)) throw malformed('the request target must be a path');
    const path = request.url.slice(origin.length - 1);
    if (!pathPattern.test(path)) throw foreignPath(path);
    headers.forEach(refuseForeign);
    if (headers.get('sec-signer') !== '1') throw forbidden('the header "Sec-Signer: 1" is required');
    if (request.method !== 'POST') return;
    if (!contentTypes.test(headers.get('content-type') ?? '')) {
      throw new SignerError(
        'unsupported_media_type',
        'Content-Type must be application/json, or application/octet-stream for the message itself',
      );
    }
  };
}

/** The error for every path that does not exist. */
export function noSuchPath(): SignerError {
  return notFound(`the paths are ${pathList}`);
}

function foreignHost(host: string | null): SignerError {
  return host === null || !hostPattern.test(host)
    ? malformed('exactly one well-formed Host header is required')
    : forbidden(
        'the Host header must be a loopback name with the port of the signer, or on a Unix socket without a port (http://localhost/); allow others with --allowed-host',
      );
}

function foreignPath(path: string): SignerError {
  return malformedPath.test(path) ? malformed('the path takes no query, fragment or escape') : noSuchPath();
}

function refuseForeign(value: string, name: string): void {
  if (foreignHeaders.has(name) || name.startsWith('x-forwarded-')) {
    throw forbidden('a request that comes through a browser or a proxy is refused; call the signer directly');
  }
  if (name === 'content-encoding') {
    throw new SignerError(
      'unsupported_media_type',
      'a body must not be compressed; send it without Content-Encoding',
    );
  }
  if (name === 'upgrade') throw malformed('the connection cannot be upgraded');
  if (name === 'content-length' && !/^\d{1,15}$/.test(value)) {
    throw malformed('exactly one Content-Length header is expected');
  }
}

function forbidden(detail: string): SignerError {
  return new SignerError('forbidden_caller', detail);
}

function malformed(detail: string): SignerError {
  return new SignerError('malformed_request', detail);
}
