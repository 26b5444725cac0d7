/** Reads the header Content-Type (RFC 9110 §8.3.1): the one place that decides whether a body is JSON. */

import { SignerError } from '../api/errors.ts';

/** JSON, or the message itself. */
export type MediaType = 'json' | 'octet-stream';

/** What most clients send is looked up, not parsed. */
const common: ReadonlyMap<string, MediaType> = new Map([
  ['application/json', 'json'],
  ['application/octet-stream', 'octet-stream'],
  ['application/json; charset=utf-8', 'json'],
  ['application/json;charset=utf-8', 'json'],
  ['application/json; charset=UTF-8', 'json'],
  ['application/json;charset=UTF-8', 'json'],
]);

const type = /^application\/(json|octet-stream)(?=[ \t;]|$)/i;
/**
 * A parameter, which may be empty (RFC 9110 §5.6.6). A comma separates the values of a repeated header, so not even a
 * quoted string may hold one.
 */
const parameter =
  /[ \t]*;(?:[ \t]*([\w!#$%&'*+.^`|~-]+)=(?:([\w!#$%&'*+.^`|~-]+)|"((?:[^"\\,]|\\[^,])*)"))?/y;

/** @throws {SignerError} `unsupported_media_type` */
export function mediaTypeOf({ headers }: Request): MediaType {
  const value = headers.get('content-type') ?? '';
  return common.get(value) ?? parse(value);
}

function parse(value: string): MediaType {
  const match = type.exec(value);
  if (match === null) throw otherType();
  const mediaType = match[1]?.toLowerCase() as MediaType;
  let at = match[0].length;
  for (;;) {
    parameter.lastIndex = at;
    const found = parameter.exec(value);
    if (found === null) break;
    at = parameter.lastIndex;
    const [, name, token, quoted] = found;
    const text = token ?? quoted?.replace(/\\(.)/g, '$1');
    // The message itself is bytes, whatever its charset.
    if (mediaType === 'json' && name?.toLowerCase() === 'charset' && text?.toLowerCase() !== 'utf-8') {
      throw unsupported('the charset of application/json must be utf-8; send the JSON in UTF-8');
    }
  }
  if (/[^ \t]/.test(value.slice(at))) throw otherType();
  return mediaType;
}

function otherType(): SignerError {
  return unsupported(
    'exactly one Content-Type is expected: application/json, or application/octet-stream for the message itself',
  );
}

function unsupported(detail: string): SignerError {
  return new SignerError('unsupported_media_type', detail);
}
