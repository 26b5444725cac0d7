/** Verifies an AWS signature, in headers or in a presigned URL. */

import type { AwsRequest, Verification, VerificationFailure } from '../../api/messages.ts';
import type { SigningContext } from '../../signing/format.ts';
import { tagOf } from '../../signing/mac.ts';
import { invalid, verifyTag } from '../../signing/verify-tag.ts';
import { type HttpMessage, parseHttpRequest } from '../http-request.ts';
import { checkAge } from '../tolerance.ts';
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
import { type AwsPolicy, forbidden } from './request-policy.ts';
import { awsTime, type SigningKeys, stringToSign } from './signing-key.ts';

export function verify(
  policy: AwsPolicy,
  signingKeys: SigningKeys,
  { keys, now, checkSize }: SigningContext,
  request: AwsRequest,
): Verification {
  const message = parseHttpRequest(request);
  checkSize(request.bodySha256 === undefined ? (message.body?.length ?? 0) : Number.POSITIVE_INFINITY);
  const signature = readSignature(message, parseParameters(message));
  if (typeof signature === 'string') return invalid(signature);
  const { scope, time, tag, parameters, headerNames, accessKeyId } = signature;
  if (accessKeyId !== policy.accessKeyId) return invalid('mismatch');
  // Checked before a key is derived, because derived keys are cached.
  if (!policy.services.includes(scope.service) || !policy.regions.includes(scope.region)) {
    return invalid('not_allowed');
  }
  const headers = signHeaders(message, headerNames);
  const payloadHash = payloadHashOf(request, message, signature);
  if (headers === undefined || payloadHash === undefined) return invalid('mismatch');
  const requestHash = hashRequest(message, scope.service, parameters, headers, payloadHash);
  const bytes = stringToSign(time, scope, requestHash);
  const today = awsTime(now).slice(0, 8);
  const answer = verifyTag(keys, [tag], ({ mac }) => tagOf(signingKeys(mac, scope, today), bytes));
  if (!answer.valid) return answer;
  const failure = checkPolicy(policy, message, signature, payloadHash) ?? checkTime(policy, now, signature);
  return failure === undefined ? answer : invalid(failure);
}

/** The payload hash that the signature covers; undefined if the payload has another hash. */
function payloadHashOf(
  { bodySha256 }: AwsRequest,
  { fields, body }: HttpMessage,
  { scope, expiresSeconds }: ReceivedSignature,
): string | undefined {
  const claimed = fields.get(payloadHeader);
  if (claimed !== undefined && claimed.length > 1) return undefined;
  const isUnsigned = expiresSeconds !== undefined && isS3(scope.service);
  if (isUnsigned || claimed?.[0] === unsignedPayload) return unsignedPayload;
  const actual = bodySha256 ?? sha256(body ?? '');
  return claimed === undefined || claimed[0] === actual ? actual : undefined;
}

function checkPolicy(
  policy: AwsPolicy,
  message: HttpMessage,
  { scope, headerNames, expiresSeconds }: ReceivedSignature,
  payloadHash: string,
): VerificationFailure | undefined {
  const mustBeSigned = [...message.fields.keys()].filter(
    (name) => name.startsWith('x-amz-') && name !== payloadHeader,
  );
  const isPayloadSigned = payloadHash !== unsignedPayload;
  const isAllowed =
    mustBeSigned.every((name) => headerNames.includes(name)) &&
    (isPayloadSigned ||
      policy.allowUnsignedPayload ||
      (expiresSeconds !== undefined && sendsNoPayload(message.method))) &&
    (expiresSeconds ?? 0) <= policy.maxExpiresSeconds &&
    forbidden(policy, message, scope.service) === undefined;
  return isAllowed ? undefined : 'not_allowed';
}

function checkTime(
  policy: AwsPolicy,
  now: number,
  { timeMs, expiresSeconds = policy.toleranceSeconds }: ReceivedSignature,
): VerificationFailure | undefined {
  return checkAge({ ...policy, toleranceSeconds: expiresSeconds }, (now - timeMs) / 1000);
}
