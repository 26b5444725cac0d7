/**
 * The scheme `laravel`: signed URLs of Laravel (`UrlGenerator::hasCorrectSignature`, since version 8). The signature covers the
 * URL with its query as it is written, without the parameter `signature`.
 */

import { decodeExactly, encode } from '../../bytes/encoding.ts';
import { tagBytes } from '../../signing/mac.ts';
import { type Parameter, queryOf, resembles, sortParameters, writtenValue } from './query.ts';
import { parseTime, type UrlScheme } from './scheme.ts';
import { plainPathProblem, type UrlForm, type UrlParts } from './url-parts.ts';

const names = ['expires', 'signature'] as const;
const isOwn = (parameter: Parameter) => names.some((name) => resembles(parameter, name));

export function laravelScheme(form: UrlForm): UrlScheme {
  return {
    form,
    coversMethod: false,
    output: 'hex',
    pathProblem: (path) => plainPathProblem(path) ?? slashProblem(form, path),
    problem: ({ parameters }) => {
      if (parameters.some(isOwn))
        return 'must not have parameters that Laravel could read as expires or signature';
      return parameters.some(hasMark) ? 'must have each "?" of its query percent-encoded (%3F)' : undefined;
    },
    forbidden: () => undefined,
    draft: (url, { expires }) => {
      const added = { name: 'expires', text: `expires=${expires}` };
      // Laravel sorts the parameters before it signs, and takes them in any order when it verifies.
      const query = queryOf(sortParameters([...url.parameters, added]));
      return {
        signed: `${beforeQuery(url)}?${query}`,
        write: (tag) => `${beforeQuery(url)}?${query}&signature=${encode(tag, 'hex')}`,
      };
    },
    read: ({ parameters, ...rest }) => {
      const [signature, ...otherSignatures] = parameters.filter((each) => resembles(each, 'signature'));
      const [expires, ...otherTimes] = parameters.filter((each) => resembles(each, 'expires'));
      if (signature === undefined) return 'missing';
      const tag = signature.name === 'signature' ? decodeExactly(writtenValue(signature), 'hex') : undefined;
      const time = expires?.name === 'expires' ? parseTime(writtenValue(expires)) : undefined;
      const isUnclear = otherSignatures.length > 0 || otherTimes.length > 0 || parameters.some(hasMark);
      if (isUnclear || tag?.length !== tagBytes('HS256') || (expires !== undefined && time === undefined)) {
        return 'malformed';
      }
      const query = queryOf(parameters.filter((each) => each !== signature));
      return {
        tag,
        signed: [`${beforeQuery(rest)}${query === '' ? '' : `?${query}`}`],
        url: { ...rest, parameters: parameters.filter((each) => !isOwn(each)) },
        expires: time,
      };
    },
  };
}

/** Laravel removes question marks from the end of what it signs, so somebody could add some. */
function hasMark({ text }: Parameter): boolean {
  return text.includes('?');
}

/** The root has no path in what Laravel signs. */
function beforeQuery({ start, authority, path }: Omit<UrlParts, 'parameters'>): string {
  return `${start}${authority}${path === '/' ? '' : path}`;
}

/** Laravel removes slashes from the end of a path before it verifies. */
function slashProblem(form: UrlForm, path: string): string | undefined {
  if (path === '/' && form === 'relative')
    return 'must have a path, because Laravel cannot verify a relative "/"';
  return path !== '/' && path.endsWith('/') ? 'must have a path without a slash at its end' : undefined;
}
