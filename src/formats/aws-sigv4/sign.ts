/** Signs a request for AWS, in headers or as a presigned URL. The signer sets the time and the scope of the signature. */

import { malformedField } from '../../api/errors.ts';
import type { AwsSignature, AwsSignRequest } from '../../api/messages.ts';
import type { SigningContext } from '../../signing/format.ts';
import { tagOf } from '../../signing/mac.ts';
import { type HttpMessage, parseHttpRequest } from '../http-request.ts';
import { nowSeconds } from '../tolerance.ts';
import {
  encodeOnce,
  hashRequest,
  isS3,
  namesOf,
  ownParameters,
  type Parameters,
  parseParameters,
  payloadHeader,
  type SignedHeaders,
  sendsNoPayload,
  sha256,
  signHeaders,
  unsignedPayload,
} from './canonical-request.ts';
import type { AwsPolicy } from './options.ts';
import { aboutOf, chosen, forbidden, notAllowed } from './request-policy.ts';
import {
  algorithm,
  awsTime,
  credentialScope,
  type Scope,
  type SigningKeys,
  stringToSign,
} from './signing-key.ts';

/** Headers that proxies change, or that belong to one connection. The AWS SDKs do not sign them either. */
const unsignable =
  /^(?:cache-control|connection|date|expect|from|keep-alive|max-forwards|pragma|referer|te|trailer|transfer-encoding|upgrade|user-agent|x-amzn-trace-id|proxy-.*|sec-.*)$/;

/** What a signature in headers and a presigned URL have in common. */
interface Signing {
  readonly message: HttpMessage;
  readonly parameters: Parameters;
  readonly payloadHash: string;
  readonly time: string;
  readonly credential: string;
  readonly keyId: string;
  /** Whether a signature in headers comes with `X-Amz-Content-Sha256`. */
  readonly writesHash: boolean;
  signature(headers: SignedHeaders, parameters: Parameters): string;
}

/** @throws {SignerError} `malformed_request`, `operation_not_allowed`, `message_too_large` */
export function sign(
  policy: AwsPolicy,
  signingKeys: SigningKeys,
  context: SigningContext,
  request: AwsSignRequest,
): AwsSignature {
  const message = parseHttpRequest(request);
  const service = chosen('service', 'services', policy, request.service);
  const region = chosen('region', 'regions', policy, request.region);
  const parameters = parseParameters(message);
  const limit = forbidden(policy, message, parameters, service);
  if (limit !== undefined) throw notAllowed(limit);
  refuseSigned(message, parameters);
  const payloadHash = hashPayload(policy, context, service, request, message);
  const time = awsTime(context.now);
  const scope: Scope = { date: time.slice(0, 8), region, service };
  const [{ id, mac }] = context.keys;
  const signing: Signing = {
    message,
    parameters,
    payloadHash,
    time,
    credential: `${policy.accessKeyId}/${credentialScope(scope)}`,
    keyId: id,
    writesHash:
      !policy.omitContentSha256 ||
      message.fields.has(payloadHeader) ||
      isS3(service) ||
      payloadHash === unsignedPayload,
    signature: (headers, covered) => {
      const requestHash = hashRequest(message, service, covered, headers, payloadHash);
      const tag = tagOf(signingKeys(mac, scope, scope.date), stringToSign(time, scope, requestHash));
      const signature = tag.toString('hex');
      if (context.notes) {
        const expires = request.presign && nowSeconds(context.now) + request.presign.expiresSeconds;
        context.notes.signature = signature;
        context.notes.about = aboutOf(policy, message, service, expires);
      }
      return signature;
    },
  };
  if (request.presign === undefined) return signByHeaders(signing);
  const { expiresSeconds } = request.presign;
  if (expiresSeconds > policy.maxExpiresSeconds) throw notAllowed('maxExpiresSeconds');
  return presign(signing, expiresSeconds);
}

function signByHeaders(signing: Signing): AwsSignature {
  const { message, parameters, payloadHash, time, credential, keyId, writesHash } = signing;
  const received = message.fields.get(payloadHeader);
  if (received !== undefined && (received.length > 1 || received[0] !== payloadHash)) {
    throw malformedField(
      'headers',
      `must not have another ${payloadHeader} than that of the payload; leave it out`,
    );
  }
  const own = { 'X-Amz-Date': time, ...(writesHash && { 'X-Amz-Content-Sha256': payloadHash }) };
  const added = Object.entries(own).map(([name, value]) => [name.toLowerCase(), [value]] as const);
  const headers = headersToSign({ ...message, fields: new Map([...message.fields, ...added]) });
  const signature = signing.signature(headers, parameters);
  const Authorization = `${algorithm} Credential=${credential}, SignedHeaders=${namesOf(headers)}, Signature=${signature}`;
  return { headers: { Authorization, ...own }, keyId };
}

function presign(signing: Signing, expiresSeconds: number): AwsSignature {
  const { message, parameters, time, credential, keyId } = signing;
  const headers = headersToSign(message);
  const own: Parameters = [
    ['X-Amz-Algorithm', algorithm],
    ['X-Amz-Credential', encodeOnce(credential, '')],
    ['X-Amz-Date', time],
    ['X-Amz-Expires', `${expiresSeconds}`],
    ['X-Amz-SignedHeaders', encodeOnce(namesOf(headers), '')],
  ];
  const signature = signing.signature(headers, [...parameters, ...own]);
  const written = [...own, ['X-Amz-Signature', signature]].map((pair) => pair.join('='));
  const query = [...(message.query ? [message.query] : []), ...written].join('&');
  return { url: `${message.scheme}://${message.authority}${message.path}?${query}`, keyId };
}

/** A request that is signed already would get a second signature, and servers could check either. */
function refuseSigned({ fields }: HttpMessage, parameters: Parameters): void {
  if (fields.has('authorization') || fields.has('x-amz-date')) {
    throw malformedField('headers', 'must not have authorization or x-amz-date, which the signer writes');
  }
  if (parameters.some(([name]) => ownParameters.test(name))) {
    throw malformedField(
      'url',
      'must not have the X-Amz- parameters of a presigned URL, which the signer writes',
    );
  }
}

/**
 * The payload hash of the canonical request. A presigned S3 URL never covers the payload, so the policy decides whether
 * one may be created for a method that sends a payload.
 */
function hashPayload(
  policy: AwsPolicy,
  { checkSize }: SigningContext,
  service: string,
  { bodySha256, unsignedPayload: unsigned = false, presign }: AwsSignRequest,
  { method, body }: HttpMessage,
): string {
  const choices = [body !== undefined, bodySha256 !== undefined, unsigned].filter(Boolean).length;
  if (choices > 1)
    throw malformedField('body', 'give only one of "body", "bodySha256" and "unsignedPayload"');
  // A payload that the request does not contain may have any size.
  checkSize(bodySha256 !== undefined || unsigned ? Number.POSITIVE_INFINITY : (body?.length ?? 0));
  if (unsigned && !policy.allowUnsignedPayload) throw notAllowed('allowUnsignedPayload');
  if (unsigned) return unsignedPayload;
  if (presign === undefined || !isS3(service)) return bodySha256 ?? sha256(body ?? '');
  if (choices === 0 && sendsNoPayload(method)) return unsignedPayload;
  throw malformedField(
    'unsignedPayload',
    `must be true, because a presigned S3 URL does not cover the payload${policy.allowUnsignedPayload ? '' : '; the configuration must also have allowUnsignedPayload: true'}`,
  );
}

/** All headers of the request except those that proxies change. AWS requires that every X-Amz- header is signed. */
function headersToSign(message: HttpMessage): SignedHeaders {
  const { fields, authority } = message;
  const host = fields.get('host');
  if (host !== undefined && (host.length > 1 || host[0]?.toLowerCase() !== authority)) {
    throw malformedField('headers', 'must not have a host that differs from "url"; leave it out');
  }
  const names = new Set(['host', ...fields.keys()].filter((name) => !unsignable.test(name)));
  const headers = signHeaders(message, [...names]);
  if (headers === undefined) throw malformedField('headers', 'must have values that are one line of ASCII');
  return headers;
}
