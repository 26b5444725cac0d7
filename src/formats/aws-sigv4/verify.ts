/** Verifies an AWS signature, in headers or in a presigned URL. */

import type { AwsRequest, Invalid, Verification } from '../../api/messages.ts';
import type { SigningContext } from '../../signing/format.ts';
import { tagOf } from '../../signing/mac.ts';
import { invalid, verifyTag } from '../../signing/verify-tag.ts';
import { type HttpMessage, parseHttpRequest } from '../http-request.ts';
import { checkAge } from '../tolerance.ts';
import {
  coversNoPayload,
  hashRequest,
  isS3,
  parseParameters,
  payloadHeader,
  sendsNoPayload,
  sha256,
  signHeaders,
  unsignedPayload,
} from './canonical-request.ts';
import type { AwsPolicy } from './options.ts';
import { type ReceivedSignature, readSignature } from './received.ts';
import { aboutOf, forbidden } from './request-policy.ts';
import { awsTime, type SigningKeys, stringToSign } from './signing-key.ts';

export function verify(
  policy: AwsPolicy,
  signingKeys: SigningKeys,
  { keys, now, checkSize, notes }: SigningContext,
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
    return invalid('not_allowed', 'the configuration does not list its service and region');
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
  if (failure !== undefined) return failure;
  if (notes) {
    const { timeMs, expiresSeconds } = signature;
    const expires = expiresSeconds === undefined ? undefined : timeMs / 1000 + expiresSeconds;
    notes.signature = Buffer.from(tag).toString('hex');
    notes.about = aboutOf(policy, message, scope.service, expires);
  }
  return answer;
}

/** The payload hash that the signature covers; undefined if the payload has another hash. */
function payloadHashOf(
  { bodySha256 }: AwsRequest,
  { fields, body }: HttpMessage,
  { scope, expiresSeconds }: ReceivedSignature,
): string | undefined {
  const claimed = fields.get(payloadHeader);
  if (claimed !== undefined && claimed.length > 1) return undefined;
  if (expiresSeconds !== undefined && isS3(scope.service)) return unsignedPayload;
  if (coversNoPayload(claimed?.[0])) return claimed?.[0];
  const actual = bodySha256 ?? sha256(body ?? '');
  return claimed === undefined || claimed[0] === actual ? actual : undefined;
}

/** What the policy does not accept, although one of the keys made the signature. */
function checkPolicy(
  policy: AwsPolicy,
  message: HttpMessage,
  { scope, headerNames, expiresSeconds, parameters }: ReceivedSignature,
  payloadHash: string,
): Invalid | undefined {
  const refuse = (detail: string) => invalid('not_allowed', detail);
  const mustBeSigned = [...message.fields.keys()].filter(
    (name) => name.startsWith('x-amz-') && name !== payloadHeader,
  );
  if (!mustBeSigned.every((name) => headerNames.includes(name)))
    return refuse('the signature does not cover all X-Amz- headers');
  const sendsNone = expiresSeconds !== undefined && sendsNoPayload(message.method);
  if (coversNoPayload(payloadHash) && !policy.allowUnsignedPayload && !sendsNone)
    return refuse('the signature does not cover the payload; allowUnsignedPayload would accept it');
  const limit =
    (expiresSeconds ?? 0) > policy.maxExpiresSeconds
      ? 'maxExpiresSeconds'
      : forbidden(policy, message, parameters, scope.service);
  return limit && refuse(`the configuration limits requests by "${limit}"`);
}

function checkTime(
  policy: AwsPolicy,
  now: number,
  { timeMs, expiresSeconds = policy.toleranceSeconds }: ReceivedSignature,
): Invalid | undefined {
  const failure = checkAge({ ...policy, toleranceSeconds: expiresSeconds }, (now - timeMs) / 1000);
  return failure && invalid(failure);
}
