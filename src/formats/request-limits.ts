/** How a configuration limits the requests that a key may sign: the lists of hosts, methods and path prefixes. */

import * as z from 'zod/mini';
import { methodPattern } from './http-request.ts';

type List<T extends z.ZodMiniType> = z.ZodMiniArray<T>;

export function list<T extends z.ZodMiniType>(element: T): List<T> {
  return z.array(element).check(z.minLength(1), z.maxLength(64));
}

export const hostList: List<z.ZodMiniString> = list(
  z
    .string()
    .check(
      z.regex(
        /^(?:\*\.)?[a-z0-9.-]+(?::\d{1,5})?$/,
        'must be a host in lower case, or *.host for all its subdomains',
      ),
    ),
);

export const methodList: List<z.ZodMiniString> = list(
  z.string().check(z.regex(methodPattern, 'must be in upper case')),
);

export const pathPrefixList: List<z.ZodMiniString> = list(
  z.string().check(z.regex(/^\/[\x21-\x7e]*$/, 'must begin with a slash and be percent-encoded')),
);

/** @param authority a host in lower case, with its port unless that is the default */
export function isListedHost(hosts: readonly string[], authority: string): boolean {
  return hosts.some((host) =>
    host.startsWith('*.') ? authority.endsWith(host.slice(1)) : authority === host,
  );
}
