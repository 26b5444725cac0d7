/** Takes a URL apart without changing it. Refuses every URL that two programs could read differently. */

import { mayLeave } from '../dot-segments.ts';
import { type Parameter, parseQuery } from './query.ts';

/** A URL in parts, each as it is written. */
export interface UrlParts {
  /** `https://` or `http://`; empty for a URL that begins with its path. */
  readonly start: string;
  /** In lower case, without the default port; empty for a URL that begins with its path. */
  readonly authority: string;
  /** Begins with a slash. */
  readonly path: string;
  readonly parameters: readonly Parameter[];
}

/** Whether a URL has a host, or begins with its path. */
export type UrlForm = 'absolute' | 'relative';

/** Few servers accept a longer URL, and the limit bounds the work for one request. */
const maxUrlLength = 16 * 1024;

/**
 * @param pathProblem see `plainPathProblem`; a scheme may have a path of another grammar
 * @returns the parts; or what is wrong, which completes the sentence `field "url": …`
 */
export function parseUrl(
  url: string,
  form: UrlForm,
  pathProblem: (path: string) => string | undefined,
): UrlParts | string {
  if (url.length > maxUrlLength) return `must have at most ${maxUrlLength} characters`;
  if (!/^[\x21-\x7e]*$/.test(url)) {
    return 'must be printable ASCII without spaces; percent-encode all other characters, and write a host in Punycode';
  }
  if (/%(?![0-9A-Fa-f]{2})/.test(url)) return 'must have two hexadecimal digits after each "%"';
  if (/[#\\]/.test(url)) return 'must not have a fragment or a backslash';
  const [, start = '', authority = '', path = '', mark, query = ''] =
    /^(?:(https?:\/\/)([^/?]*))?(\/[^?]*)?(\?)?(.*)$/.exec(url) ?? [];
  const problem = originProblem(form, start, authority) ?? pathProblem(path === '' ? '/' : path);
  if (problem !== undefined) return problem;
  if (path === '' && (form === 'relative' || mark !== undefined))
    return 'must have a path; write at least "/"';
  if (mark === undefined) return { start, authority, path: path === '' ? '/' : path, parameters: [] };
  const parameters = parseQuery(query);
  return typeof parameters === 'string' ? parameters : { start, authority, path, parameters };
}

/** What is wrong with everything before the path. */
function originProblem(form: UrlForm, start: string, authority: string): string | undefined {
  if (form === 'relative') {
    return start === ''
      ? undefined
      : 'must begin with its path, because signatures of this key cover no host';
  }
  if (start === '') return 'must be absolute and begin with https:// or http://';
  if (authority.includes('@')) return 'must not have a user name or a password';
  const parsed = URL.parse(`${start}${authority}/`);
  // The parser writes a host in lower case, an address in its usual form, and leaves out the default port.
  if (authority === '' || parsed === null || parsed.host !== authority || parsed.hostname.endsWith('.')) {
    return 'must have a host as it is sent: in lower case, without the default port or a dot at the end';
  }
  return undefined;
}

/** What a path may have (RFC 3986 §3.3). Clients percent-encode everything else before they send it. */
const pathCharacters = /^\/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*$/;

/** Dots, slashes, backslashes and control characters that only some servers decode before they use the path. */
const hiddenSyntax = /%(?:2e|2f|5c|[01][0-9a-f]|7f)/i;

/** What is wrong with the path of a URL that names a file or a route. */
export function plainPathProblem(path: string): string | undefined {
  if (!pathCharacters.test(path)) return 'must have a path in which special characters are percent-encoded';
  if (path.includes('//')) return 'must have a path without empty segments ("//")';
  if (hiddenSyntax.test(path)) {
    return 'must have a path without percent-encoded dots, slashes, backslashes and control characters';
  }
  if (/%25[0-9A-Fa-f]{2}/.test(path)) return 'must have a path that is not percent-encoded twice';
  if (/\/\.{1,2}(?:\/|$)/.test(path) || mayLeave(path)) return 'must have a path without dot segments';
  return undefined;
}
