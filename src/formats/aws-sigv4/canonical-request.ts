/**
 * The canonical request of AWS Signature Version 4, which is the same text however the request is written. S3 uses paths
 * unchanged; the other services normalise them and encode them a second time.
 */

import { malformedField } from '../../api/errors.ts';
import { digest } from '../../bytes/digest.ts';
import { fieldValues, type HttpMessage } from '../http-request.ts';

export const unsignedPayload = 'UNSIGNED-PAYLOAD';

/**
 * What stands in the place of a hash if the payload is streamed. The AWS SDKs sign the chunks one by one, or not at all, so
 * the signature of the request itself covers no payload.
 */
const streamed: ReadonlySet<string> = new Set([
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
]);

/** Whether a request with this in the place of a payload hash may have any payload. */
export function coversNoPayload(payloadHash: string | undefined): payloadHash is string {
  return payloadHash === unsignedPayload || (payloadHash !== undefined && streamed.has(payloadHash));
}

/** The header with the hash of the payload. S3 and OpenSearch Serverless require it. */
export const payloadHeader = 'x-amz-content-sha256';

/** The query parameters that make a URL presigned. */
export const ownParameters = /^x-amz-(?:algorithm|credential|date|expires|signedheaders|signature)$/i;

const s3Services: ReadonlySet<string> = new Set(['s3', 's3express', 's3-object-lambda', 's3-outposts']);

export function isS3(service: string): boolean {
  return s3Services.has(service);
}

/** Content has no defined meaning with these methods (RFC 9110 §9.3.1, §9.3.2, §9.3.5). */
export function sendsNoPayload(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'DELETE';
}

/** The names and values of a query, percent-encoded as AWS requires, in the order of the URL. */
export type Parameters = readonly (readonly [name: string, value: string])[];

/** The names and values of the signed headers, sorted by name. */
export type SignedHeaders = readonly (readonly [name: string, value: string])[];

/** Returns the SHA-256 of the canonical request, in hex. */
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

/** Selects the headers to sign. Undefined if the request does not have one of them, or not in ASCII. */
export function signHeaders(message: HttpMessage, names: readonly string[]): SignedHeaders | undefined {
  const headers = names.toSorted().map((name) => {
    if (name === 'host') return [name, message.authority] as const;
    const values = fieldValues(message, name)?.map((value) => value.replace(/[ \t]+/g, ' '));
    return values && ([name, values.join(',')] as const);
  });
  return headers.every((header) => header !== undefined) ? headers : undefined;
}

/** @throws {SignerError} `malformed_request` for a plus sign, which some servers read as a space and others as a plus */
export function parseParameters({ query = '' }: HttpMessage): Parameters {
  if (query.includes('+')) throw malformedField('url', 'must have no "+" in its query; write %20 or %2B');
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const [name = '', ...value] = pair.split('=');
      return [encodeOnce(name, ''), encodeOnce(value.join('='), '')];
    });
}

/** The form of a path in which the policy compares prefixes. */
export function comparablePath(service: string, path: string): string {
  return encodeOnce(isS3(service) ? path : withoutEmptySegments(path));
}

export function sha256(content: string | Uint8Array): string {
  return digest('sha256', content).toString('hex');
}

/** Percent-encodes all but the unreserved characters (RFC 3986 §2.3). What is already encoded is not encoded again. */
export function encodeOnce(text: string, alsoKept = '/'): string {
  return text.replace(/%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~-]/g, (part) => {
    const character = part.length === 1 ? part : String.fromCharCode(Number.parseInt(part.slice(1), 16));
    return part === alsoKept || /[A-Za-z0-9._~-]/.test(character) ? character : percentEncode(character);
  });
}

/** Percent-encodes a path that is encoded already, so that `%` becomes `%25`. */
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
