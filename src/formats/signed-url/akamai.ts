/**
 * The scheme `akamai`: an authorization token for Akamai's edge servers (EdgeAuth 2.0) as a parameter of the URL. The token
 * is for the path of the URL, or for the access control list of the configuration.
 */

import { decodeExactly, encode } from '../../bytes/encoding.ts';
import { tagBytes } from '../../signing/mac.ts';
import { type Parameter, resembles, writtenValue } from './query.ts';
import { parseTime, type UrlScheme, writeUrl } from './scheme.ts';
import { plainPathProblem } from './url-parts.ts';

export interface AkamaiSettings {
  readonly tokenName: string;
  /** Signed and not sent, as in the configuration of the edge servers. */
  readonly salt?: string | undefined;
  /** Paths, each with `*` at its end for all that begin with it. Undefined for a token of the URL's own path. */
  readonly acl?: readonly string[] | undefined;
  /** Whether the path is percent-encoded before it is signed. */
  readonly escapeEarly: boolean;
}

export const defaultTokenName = '__token__';

const tokenPattern =
  /^(?<fields>(?:st=(?<starts>[^~]*)~)?exp=(?<expires>[^~]*)(?:~acl=(?<acl>[^~]*))?)~hmac=(?<tag>[^~]*)$/;
/** Fields that tokens of other signers may have: an address, a session and data. */
const unsupportedFields = /(?:^|~)(?:ip|id|data)=/;

export function akamaiScheme({ tokenName, salt, acl, escapeEarly }: AkamaiSettings): UrlScheme {
  const list = acl?.join('!');
  const isCovered = (path: string) =>
    acl?.some((each) => (each.endsWith('*') ? path.startsWith(each.slice(0, -1)) : path === each)) !== false;
  const signedText = (fields: string, path: string) => {
    const url = list === undefined ? [`url=${escapeEarly ? escapePath(path) : path}`] : [];
    return [fields, ...url, ...(salt === undefined ? [] : [`salt=${salt}`])].join('~');
  };
  const isToken = (parameter: Parameter) => resembles(parameter, tokenName);
  return {
    form: 'absolute',
    coversMethod: false,
    output: 'hex',
    pathProblem: (path) => plainPathProblem(path) ?? fieldProblem(path),
    problem: ({ parameters }) =>
      parameters.length > 0
        ? 'must not have a query, because a token of Akamai does not cover it'
        : undefined,
    forbidden: ({ path }) => (isCovered(path) ? undefined : 'akamai.acl'),
    draft: (url, { expires }) => {
      const fields = [`exp=${expires}`, ...(list === undefined ? [] : [`acl=${list}`])].join('~');
      return {
        signed: signedText(fields, url.path),
        write: (tag) => writeUrl(url, `${tokenName}=${fields}~hmac=${encode(tag, 'hex')}`),
      };
    },
    read: ({ parameters, ...url }) => {
      const [token, ...others] = parameters.filter(isToken);
      if (token === undefined) return 'missing';
      const text = writtenValue(token);
      if (unsupportedFields.test(text)) return 'unsupported';
      const {
        fields = '',
        starts,
        expires = '',
        acl: received,
        tag: hex = '',
      } = tokenPattern.exec(text)?.groups ?? {};
      const tag = decodeExactly(hex, 'hex');
      const times = [expires, ...(starts === undefined ? [] : [starts])].map(parseTime);
      const isExact = token.name === tokenName && others.length === 0 && parameters.length === 1;
      const isKind = (received === undefined) === (list === undefined);
      if (!isExact || !isKind || tag?.length !== tagBytes('HS256') || times.includes(undefined))
        return 'malformed';
      return {
        tag,
        signed: [signedText(fields, url.path)],
        url: { ...url, parameters: [] },
        expires: times[0],
        starts: times[1],
        ...(received !== list && { refusedBy: 'akamai.acl' }),
      };
    },
  };
}

/** A tilde separates the fields of a token. Akamai's libraries do not agree how they escape the other characters. */
function fieldProblem(path: string): string | undefined {
  return /[~!()]/.test(path)
    ? 'must have a path without ~ ! ( and ), which a token of Akamai cannot cover'
    : undefined;
}

/** As the libraries of Akamai do: percent-encoded in lower case, slashes too. */
function escapePath(path: string): string {
  return encodeURIComponent(path)
    .replace(/['*]/g, (character) => `%${character.charCodeAt(0).toString(16)}`)
    .replace(/%../g, (encoded) => encoded.toLowerCase());
}
