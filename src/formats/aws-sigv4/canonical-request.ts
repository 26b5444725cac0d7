/**
 * The canonical request of AWS Signature Version 4: one text for every way in which a request can be written. S3 takes
 * paths as they are; the other services normalise them and encode them once more.
 */

import { digest } from '../../bytes/digest.ts';
import { fieldValues, type HttpMessage, malformed } from '../http-request.ts';

export const unsignedPayload = 'UNSIGNED-PAYLOAD';

/** The header that tells the payload's hash, which S3 demands. A caller asks for it elsewhere by writing it. */
export const payloadHeader = 'x-amz-content-sha256';

/** The parts of a presigned URL that its signature is made of. */
export const ownParameters = /^x-amz-(?:algorithm|credential|date|expires|signedheaders|signature)$/i;

const s3Services: ReadonlySet<string> = new Set(['s3', 's3express', 's3-object-lambda', 's3-outposts']);

export function isS3(service: string): boolean {
  return s3Services.has(service);
}

/** RFC 9110 §9.3: content has no meaning with these methods. */
export function sendsNoPayload(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'DELETE';
}

/** A query's names and values, percent-encoded as AWS does, in the order of the URL. */
export type Parameters = readonly (readonly [name: string, value: string])[];

/** The names and values of the headers that are signed, in the order of their names. */
export type SignedHeaders = readonly (readonly [name: string, value: string])[];

/** The hash of the canonical request, in hex. */
export function hashRequest(
  { method, path }: Pick<HttpMessage, 'method' | 'path'>,
  service: string,
  parameters: Parameters,
  headers: SignedHeaders,
  payloadHash: string,
): string {
  const lines = [
    method,
    isS3(service) ? encodeOnce(path) : encodeAgain(withoutEmptySegments(path)),
    sorted(parameters)
      .map(([name, value]) => `${name}=${value}`)
      .join('&'),
    ...headers.map(([name, value]) => `${name}:${value}`),
    '',
    namesOf(headers),
    payloadHash,
  ];
  return sha256(lines.join('\n'));
}

export function namesOf(headers: SignedHeaders): string {
  return headers.map(([name]) => name).join(';');
}

/** Of these headers, or undefined when the request does not have one of them in ASCII. */
export function signHeaders(message: HttpMessage, names: readonly string[]): SignedHeaders | undefined {
  const headers = names.toSorted().map((name) => {
    if (name === 'host') return [name, message.authority] as const;
    const values = fieldValues(message, name)?.map((value) => value.replace(/[ \t]+/g, ' '));
    return values && ([name, values.join(',')] as const);
  });
  return headers.every((header) => header !== undefined) ? headers : undefined;
}

/** @throws {SignerError} `malformed_request` for a plus sign, which is a space to some and a plus to others */
export function parseParameters({ query = '' }: HttpMessage): Parameters {
  if (query.includes('+')) throw malformed('url', 'must have no "+" in its query; write %20 or %2B');
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const [name = '', ...value] = pair.split('=');
      return [encodeOnce(name, ''), encodeOnce(value.join('='), '')];
    });
}

/** A path in the one form in which prefixes are compared. */
export function comparablePath(service: string, path: string): string {
  return encodeOnce(isS3(service) ? path : withoutEmptySegments(path));
}

export function sha256(content: string | Uint8Array): string {
  return digest('sha256', content).toString('hex');
}

/** Text that may be percent-encoded already: every byte but the unreserved characters (RFC 3986 §2.3). */
export function encodeOnce(text: string, alsoKept = '/'): string {
  return text.replace(/%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~-]/g, (found) => {
    const character = found.length === 1 ? found : String.fromCharCode(Number.parseInt(found.slice(1), 16));
    return found === alsoKept || /[A-Za-z0-9._~-]/.test(character) ? character : percentEncode(character);
  });
}

/** The percent sign is a character like any other. */
function encodeAgain(path: string): string {
  return path.replace(/[^A-Za-z0-9._~/-]/g, percentEncode);
}

function percentEncode(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

function withoutEmptySegments(path: string): string {
  return path.replace(/\/{2,}/g, '/');
}

function sorted(parameters: Parameters): Parameters {
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return parameters.toSorted(([name, value], [other, otherValue]) =>
    name === other ? order(value, otherValue) : order(name, other),
  );
}
