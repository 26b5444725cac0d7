/** Verifies a request that was signed for AWS: by headers, or as a presigned URL. */

import type { AwsRequest, Verification, VerificationFailure } from '../../api/messages.ts';
import { type SigningContext, verification } from '../../signing/format.ts';
import { indexOfTag, tagOf } from '../../signing/mac.ts';
import { type HttpMessage, parseHttpRequest } from '../http-request.ts';
import {
  hashRequest,
  isS3,
  parseParameters,
  payloadHeader,
  sendsNoPayload,
  sha256,
  signHeaders,
  unsignedPayload,
} from './canonical-request.ts';
import { type ReceivedSignature, readSignature } from './received.ts';
import { forbidden, type Policy } from './request-policy.ts';
import { awsTime, type SigningKeys, stringToSign } from './signing-key.ts';

export function verify(
  policy: Policy,
  signingKeys: SigningKeys,
  { keys, now, checkSize }: SigningContext,
  request: AwsRequest,
): Verification {
  const message = parseHttpRequest(request);
  checkSize(request.bodySha256 === undefined ? (message.body?.length ?? 0) : Number.POSITIVE_INFINITY);
  const signature = readSignature(message, parseParameters(message));
  if (typeof signature === 'string') return refusal(signature);
  const { scope, time, tag, parameters, headerNames, accessKeyId } = signature;
  if (accessKeyId !== policy.accessKeyId) return refusal('mismatch');
  // Before any key is derived, since derived keys are kept.
  if (!policy.services.includes(scope.service) || !policy.regions.includes(scope.region)) {
    return refusal('not_allowed');
  }
  const headers = signHeaders(message, headerNames);
  const payloadHash = payloadHashOf(request, message, signature);
  if (headers === undefined || payloadHash === undefined) return refusal('mismatch');
  const signed = stringToSign(
    time,
    scope,
    hashRequest(message, scope.service, parameters, headers, payloadHash),
  );
  const today = awsTime(now).slice(0, 8);
  const tags = keys.map(({ mac }) => tagOf(signingKeys(mac, scope, today), signed));
  const index = indexOfTag(tags, tag);
  if (index < 0) return refusal('mismatch');
  const failure =
    policyFailure(policy, message, signature, payloadHash) ?? timeFailure(policy, now, signature);
  return failure === undefined ? verification(keys, index) : refusal(failure);
}

/** What the signature says of the payload; undefined when the payload is another one. */
function payloadHashOf(
  { bodySha256 }: AwsRequest,
  { fields, body }: HttpMessage,
  { scope, expiresSeconds }: ReceivedSignature,
): string | undefined {
  const told = fields.get(payloadHeader);
  if (told !== undefined && told.length > 1) return undefined;
  const isUnsigned = expiresSeconds !== undefined && isS3(scope.service);
  if (isUnsigned || told?.[0] === unsignedPayload) return unsignedPayload;
  const actual = bodySha256 ?? sha256(body ?? '');
  return told === undefined || told[0] === actual ? actual : undefined;
}

function policyFailure(
  policy: Policy,
  message: HttpMessage,
  { scope, headerNames, expiresSeconds }: ReceivedSignature,
  payloadHash: string,
): VerificationFailure | undefined {
  const mustBeSigned = [...message.fields.keys()].filter(
    (name) => name.startsWith('x-amz-') && name !== payloadHeader,
  );
  const isShown = payloadHash !== unsignedPayload;
  const isAllowed =
    mustBeSigned.every((name) => headerNames.includes(name)) &&
    (isShown ||
      policy.allowUnsignedPayload ||
      (expiresSeconds !== undefined && sendsNoPayload(message.method))) &&
    (expiresSeconds ?? 0) <= policy.maxExpiresSeconds &&
    forbidden(policy, message, scope.service) === undefined;
  return isAllowed ? undefined : 'not_allowed';
}

function timeFailure(
  { toleranceSeconds, futureToleranceSeconds }: Policy,
  now: number,
  { at, expiresSeconds = toleranceSeconds }: ReceivedSignature,
): VerificationFailure | undefined {
  if (at > now + futureToleranceSeconds * 1000) return 'not_yet_valid';
  return at + expiresSeconds * 1000 < now ? 'expired' : undefined;
}

function refusal(reason: VerificationFailure): Verification {
  return { valid: false, reason };
}
