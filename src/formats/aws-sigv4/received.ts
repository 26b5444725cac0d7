/** Parses the signature of a request, from `Authorization` or from the query. */

import { decode } from '../../bytes/encoding.ts';
import { fieldValues, type HttpMessage } from '../http-request.ts';
import { ownParameters, type Parameters } from './canonical-request.ts';
import { longestExpiresSeconds } from './options.ts';
import { algorithm, parseAwsTime, type Scope, scopeEnd } from './signing-key.ts';

export interface ReceivedSignature {
  readonly accessKeyId: string;
  readonly scope: Scope;
  /** `X-Amz-Date` as received. */
  readonly time: string;
  /** The same in milliseconds since the epoch. */
  readonly timeMs: number;
  /** In lower case and sorted; always contains `host`. */
  readonly headerNames: readonly string[];
  readonly tag: Uint8Array;
  /** The lifetime of a presigned URL; undefined for a signature in headers. */
  readonly expiresSeconds: number | undefined;
  /** The query without the signature itself. */
  readonly parameters: Parameters;
}

/** The parts that a signature in headers and one in a URL have in common, not yet parsed. */
interface Written {
  readonly credential: string;
  readonly time: string;
  readonly headerNames: string;
  readonly tag: string;
}

const authorizationPattern = new RegExp(
  String.raw`^${algorithm} Credential=(?<credential>[^\s,]+), *SignedHeaders=(?<headerNames>[^\s,]+), *Signature=(?<tag>[^\s,]+)$`,
);

export function readSignature(
  message: HttpMessage,
  parameters: Parameters,
): ReceivedSignature | 'missing' | 'malformed' {
  const isPresigned = parameters.some(([name]) => name === 'X-Amz-Signature');
  const isByHeaders = message.fields.has('authorization');
  if (!isPresigned && !isByHeaders) return 'missing';
  // Two programs could choose different ones.
  if (isPresigned && isByHeaders) return 'malformed';
  return (isPresigned ? readPresigned(parameters) : readHeaders(message, parameters)) ?? 'malformed';
}

function readHeaders(message: HttpMessage, parameters: Parameters): ReceivedSignature | undefined {
  const { credential, headerNames, tag } =
    authorizationPattern.exec(only(message, 'authorization'))?.groups ?? {};
  if (credential === undefined || headerNames === undefined || tag === undefined) return undefined;
  return read({ credential, headerNames, tag, time: only(message, 'x-amz-date') }, parameters);
}

/** The values are percent-encoded as `parseParameters` writes them. */
function readPresigned(parameters: Parameters): ReceivedSignature | undefined {
  const own = parameters.filter(([name]) => ownParameters.test(name));
  const values = new Map(own);
  const value = (name: string) => values.get(`X-Amz-${name}`) ?? '';
  // Each of the six parameters must appear exactly once.
  if (own.length !== 6 || values.size !== 6 || value('Algorithm') !== algorithm) return undefined;
  const expiresSeconds = /^[1-9]\d{0,5}$/.test(value('Expires')) ? Number(value('Expires')) : 0;
  if (expiresSeconds < 1 || expiresSeconds > longestExpiresSeconds) return undefined;
  const written = {
    credential: value('Credential').replaceAll('%2F', '/'),
    time: value('Date'),
    headerNames: value('SignedHeaders').replaceAll('%3B', ';'),
    tag: value('Signature'),
  };
  const others = parameters.filter(([name]) => name !== 'X-Amz-Signature');
  return read(written, others, expiresSeconds);
}

function read(
  { credential, time, headerNames, tag }: Written,
  parameters: Parameters,
  expiresSeconds?: number,
): ReceivedSignature | undefined {
  const [accessKeyId = '', date = '', region = '', service = '', end, ...more] = credential.split('/');
  const names = headerNames.split(';');
  const timeMs = parseAwsTime(time);
  const isWellFormed =
    end === scopeEnd &&
    more.length === 0 &&
    date === time.slice(0, 8) &&
    names.includes('host') &&
    names.every((name, index) => /^[a-z0-9._-]+$/.test(name) && name > (names[index - 1] ?? '')) &&
    /^[0-9a-f]{64}$/.test(tag);
  const bytes = decode(tag, 'hex');
  if (!isWellFormed || timeMs === undefined || bytes === undefined) return undefined;
  const scope = { date, region, service };
  return { accessKeyId, scope, time, timeMs, headerNames: names, tag: bytes, expiresSeconds, parameters };
}

/** The value of a header; empty if the header is absent or repeated. */
function only(message: HttpMessage, name: string): string {
  const [value = '', ...others] = fieldValues(message, name) ?? [];
  return others.length === 0 ? value : '';
}
