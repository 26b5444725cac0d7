/** The URL and the method by which a message may have been signed: what the request tells, and what a proxy may have changed. */

import { SignerError } from '../../api/errors.ts';
import { requestValues, type Values } from '../../formats/webhook/request.ts';
import type { Scheme } from '../../formats/webhook/scheme.ts';
import type { Difference } from './difference.ts';
import type { ReceivedRequest } from './request.ts';

export interface Target {
  readonly values: Values;
  readonly differences: readonly Difference[];
}

interface Change {
  readonly url: string;
  readonly when: string;
}

const url = /^([a-z]+):\/\/([^/?#]*)([^?#]*)(\?[^#]*)?$/i;

/** The URL that was requested, as far as the request tells; undefined if it does not. */
export function requestedUrl({
  url: given,
  target,
  scheme = 'https',
  headers,
}: ReceivedRequest): string | undefined {
  if (given !== undefined) return given;
  if (target === undefined || /^[a-z]+:\/\//i.test(target)) return target;
  const host = headers.get('host')?.[0];
  return host === undefined || !target.startsWith('/') ? undefined : `${scheme}://${host}${target}`;
}

/** @returns at least one; the first is what the request tells. Empty if a value that is signed is not known */
export function targetsOf(scheme: Scheme, request: ReceivedRequest): readonly Target[] {
  const own = requestedUrl(request);
  const literal = valuesOf(scheme, request, own, request.method);
  const targets: Target[] = literal === undefined ? [] : [{ values: literal, differences: [] }];
  const isMethodSigned = scheme.members.has('method');
  const isUrlSigned = [...scheme.members].some((member) => member !== 'method');
  const add = (at: string | undefined, method: string | undefined, difference: Difference) => {
    const values = valuesOf(scheme, request, at, method);
    if (values === undefined) return;
    const isNew = targets.every((each) => JSON.stringify(each.values) !== JSON.stringify(values));
    if (isNew) targets.push({ values, differences: [difference] });
  };
  for (const change of isUrlSigned && own !== undefined ? changes(own, request) : []) {
    add(change.url, request.method ?? 'POST', {
      code: 'url',
      when: change.when,
      remedy:
        'Give the signer the URL that the sender called, the public one, exactly as it was registered there.',
    });
  }
  for (const method of isMethodSigned ? [request.method?.toUpperCase(), 'POST', 'GET', 'PUT'] : []) {
    if (method === undefined) continue;
    add(own, method, {
      code: 'method',
      when: `the method is ${method}`,
      remedy: 'Give the signer the method by which the sender called, in upper case.',
    });
  }
  return targets;
}

function valuesOf(
  scheme: Scheme,
  { headers }: ReceivedRequest,
  at: string | undefined,
  method: string | undefined,
): Values | undefined {
  const told = {
    ...(at !== undefined && { url: at }),
    ...(method !== undefined && { method }),
    header: (name: string) => headers.get(name)?.join(', '),
  };
  try {
    const values = requestValues(scheme, told);
    return values === 'missing' ? undefined : values;
  } catch (error) {
    if (error instanceof SignerError) return undefined;
    throw error;
  }
}

/** What stands between the sender and the application can change any part of a URL. */
function changes(own: string, { headers, target }: ReceivedRequest): readonly Change[] {
  const [, protocol = '', authority = '', path = '', query = ''] = url.exec(own) ?? [];
  if (protocol === '') return [];
  const forwarded = (name: string) => headers.get(name)?.[0]?.split(',')[0]?.trim();
  const found: Change[] = [];
  const add = (changed: string, when: string) => found.push({ url: changed, when });
  const other = protocol === 'https' ? 'http' : 'https';
  const build = (parts: { protocol?: string; authority?: string; path?: string; query?: string }) =>
    `${parts.protocol ?? protocol}://${parts.authority ?? authority}${parts.path ?? path}${parts.query ?? query}`;
  add(build({ protocol: other }), `the URL begins with ${other}://`);
  const host = forwarded('x-forwarded-host') ?? forwarded('x-original-host');
  const prefix = forwarded('x-forwarded-prefix')?.replace(/\/$/, '');
  const original =
    headers.get('x-original-url')?.[0] ??
    headers.get('x-original-uri')?.[0] ??
    headers.get('x-forwarded-uri')?.[0];
  for (const each of [protocol, other]) {
    const also = each === protocol ? '' : `, and the URL begins with ${other}://`;
    if (host !== undefined) {
      add(build({ protocol: each, authority: host }), `the host is that of X-Forwarded-Host${also}`);
    }
    if (prefix !== undefined) {
      const authorities = host === undefined ? [authority] : [authority, host];
      for (const at of authorities) {
        const of = at === authority ? '' : ', the host is that of X-Forwarded-Host';
        add(
          build({ protocol: each, authority: at, path: prefix + path }),
          `the path has the prefix of X-Forwarded-Prefix${of}${also}`,
        );
      }
    }
    if (original?.startsWith('/')) {
      const at = `${each}://${host ?? authority}${original}`;
      add(at, `the path is the one before a proxy changed it (X-Original-URL and the like)${also}`);
    }
    const bare = authority.replace(/:\d+$/, '');
    if (bare !== authority) add(build({ protocol: each, authority: bare }), `the URL has no port${also}`);
    else {
      const port = each === 'https' ? 443 : 80;
      add(
        build({ protocol: each, authority: `${authority}:${port}` }),
        `the URL has the port ${port}${also}`,
      );
    }
    const slashed = path.endsWith('/') ? path.slice(0, -1) : `${path}/`;
    const slash = path.endsWith('/') ? 'has no slash at its end' : 'ends with a slash';
    add(build({ protocol: each, path: slashed }), `the path ${slash}${also}`);
    if (query !== '') add(build({ protocol: each, query: '' }), `the URL has no query${also}`);
    const [, asked] = /^[^?]*(\?.+)$/.exec(target ?? '') ?? [];
    if (query === '' && asked !== undefined) {
      add(build({ protocol: each, query: asked }), `the URL has the query of the request line${also}`);
    }
  }
  add(build({ authority: authority.toLowerCase() }), 'the host is in lower case');
  const decoded = (text: string) =>
    text.replace(/%[0-9A-Fa-f]{2}/g, (each) => String.fromCharCode(Number.parseInt(each.slice(1), 16)));
  add(build({ path: decoded(path), query: decoded(query) }), 'the escapes of the URL are decoded');
  add(path + query, 'only the path and the query of the URL are signed');
  return found;
}
