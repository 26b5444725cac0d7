/**
 * The scheme `sidecar`, which docs/formats/signed-url.md specifies. The signature covers the method, host, path, query and
 * expiry, each on a line of its own; no part of a URL can contain a line feed.
 */

import { decodeExactly, encode } from '../../bytes/encoding.ts';
import { tagBytes } from '../../signing/mac.ts';
import { type Parameter, queryOf, resembles, sortParameters, writtenValue } from './query.ts';
import { parseTime, type UrlScheme, writeUrl } from './scheme.ts';
import { plainPathProblem, type UrlParts } from './url-parts.ts';

/** The names of the parameters that the signer writes. */
export interface ParameterNames {
  readonly expires: string;
  readonly keyId: string;
  readonly signature: string;
}

/** The names of a configuration, with the usual ones in the place of those that it does not give. */
export function parameterNames({
  expires = 'expires',
  keyId = 'kid',
  signature = 'signature',
}: { readonly [Name in keyof ParameterNames]?: string | undefined } = {}): ParameterNames {
  return { expires, keyId, signature };
}

const version = 'sidecar-signer-url-v1';
const anyMethod = '*';

/** @param hasMethods whether the key set lists methods, so that each URL is for one of them */
export function sidecarScheme(names: ParameterNames, hasMethods: boolean): UrlScheme {
  const own = [names.expires, names.keyId, names.signature];
  const isOwn = (parameter: Parameter) => own.some((name) => resembles(parameter, name));
  return {
    form: 'absolute',
    coversMethod: true,
    output: 'base64url',
    pathProblem: plainPathProblem,
    problem: ({ parameters }) =>
      parameters.some(isOwn)
        ? `must not have parameters that could be read as ${own.join(', ')}, which the signer writes`
        : undefined,
    forbidden: () => undefined,
    draft: (url, { expires, keyId, method = anyMethod }) => ({
      signed: signedText(url, `${expires}`, method),
      write: (tag) => {
        const added = [
          `${names.expires}=${expires}`,
          `${names.keyId}=${encodeURIComponent(keyId)}`,
          `${names.signature}=${encode(tag, 'base64url')}`,
        ];
        return writeUrl(url, [...url.parameters.map(({ text }) => text), ...added].join('&'));
      },
    }),
    read: ({ parameters, ...rest }, method) => {
      const received = parameters.filter(isOwn);
      const only = (name: string) => {
        const [found, ...others] = received.filter((parameter) => resembles(parameter, name));
        return found?.name === name && others.length === 0 ? writtenValue(found) : undefined;
      };
      if (!received.some((parameter) => resembles(parameter, names.signature))) return 'missing';
      const isExact = received.every(({ name }) => own.includes(name) && only(name) !== undefined);
      const tag = decodeExactly(only(names.signature) ?? '', 'base64url');
      const expires = parseTime(only(names.expires) ?? '');
      if (!isExact || tag?.length !== tagBytes('HS256') || expires === undefined) return 'malformed';
      const url = { ...rest, parameters: parameters.filter((parameter) => !isOwn(parameter)) };
      const methods = hasMethods ? [method ?? ''] : [anyMethod, ...(method === undefined ? [] : [method])];
      return {
        tag,
        signed: methods.map((each) => signedText(url, `${expires}`, each)),
        url,
        expires,
        keyId: decodeText(only(names.keyId)),
      };
    },
  };
}

function signedText({ authority, path, parameters }: UrlParts, expires: string, method: string): string {
  return [version, method, authority, path, queryOf(sortParameters(parameters)), expires].join('\n');
}

/** The key id that a URL names. One that is not well formed names no key. */
function decodeText(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
