/** Decides which values of `Host` the ops listener serves. Without this, a web page could read it by DNS rebinding. */

import { isIP } from 'node:net';
import { SignerError } from '../api/errors.ts';
import type { Guard } from '../http/guard.ts';

/** RFC 9110 §7.2: a name or an address, then perhaps a port. */
const hostPattern = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{0,5})?$/;

/**
 * Serves addresses, which a page cannot have as its name, and `localhost`; the port does not matter. A kubelet and
 * Prometheus send the address of the pod.
 * @param allowedNames further names, without a port
 */
export function createOpsGuard(allowedNames: readonly string[]): Guard {
  const names = new Set(['localhost', ...allowedNames.map((name) => name.toLowerCase())]);
  return ({ headers }) => {
    // RFC 3986 §3.2.2: the letter case of a name does not matter.
    const [, ipv6, name = ''] = hostPattern.exec(headers.get('host')?.toLowerCase() ?? '') ?? [];
    if (ipv6 === undefined ? isIP(name) === 4 || names.has(name) : isIP(ipv6) === 6) return;
    if (ipv6 !== undefined || name === '') {
      throw new SignerError('malformed_request', 'exactly one well-formed Host header is required');
    }
    throw new SignerError(
      'forbidden_caller',
      'the Host header must be an IP address or localhost; allow another name with --ops-allowed-host',
    );
  };
}
