/** Verifies the signatures of a request (RFC 9421 §3.2), and what they cover. */

import type { HttpSignatureVerification, VerificationFailure } from '../../api/messages.ts';
import type { SigningContext } from '../../signing/format.ts';
import { verification } from '../../signing/format.ts';
import { indexOfTag, tagOf } from '../../signing/mac.ts';
import { fieldValues, type HttpMessage } from '../http-request.ts';
import { covers, signatureBase } from './component.ts';
import { isDigestOf } from './content-digest.ts';
import { coveredBy, type Policy } from './coverage.ts';
import { type ReceivedSignature, readSignatures } from './received.ts';

/** One valid signature is enough. The others may be those of a proxy on the way, or by another algorithm. */
export function verify(
  policy: Policy,
  context: SigningContext,
  message: HttpMessage,
): HttpSignatureVerification {
  context.checkSize(message.body?.length ?? 0);
  const received = readSignatures(message);
  if (typeof received === 'string') return refusal(received);
  const answers = received
    .filter(({ alg = 'hmac-sha256' }) => alg === 'hmac-sha256')
    .filter(({ applicationTag }) => policy.tag === undefined || applicationTag === policy.tag)
    .map((signature) => verifyOne(policy, context, message, signature));
  return (
    answers.find(({ valid }) => valid) ??
    // Any other reason than a mismatch means that the signature is by one of the keys.
    answers.find((answer) => !answer.valid && answer.reason !== 'mismatch') ??
    answers[0] ??
    refusal('not_allowed')
  );
}

function verifyOne(
  policy: Policy,
  { keys, now }: SigningContext,
  message: HttpMessage,
  signature: ReceivedSignature,
): HttpSignatureVerification {
  const { base } = signatureBase(signature.components, message, signature.signatureParameters);
  if (base === undefined) return refusal('mismatch');
  const named = keys.filter(({ id }) => id === signature.keyid);
  // Whoever signs may have a name of its own for the key.
  const candidates = named.length === 0 ? keys : named;
  const bytes = Buffer.from(base);
  const match =
    candidates[
      indexOfTag(
        candidates.map(({ mac }) => tagOf(mac, bytes)),
        signature.tag,
      )
    ];
  if (match === undefined) return refusal('mismatch');
  const failure =
    digestFailure(message, signature) ??
    coverageFailure(policy, message, signature) ??
    timeFailure(policy, Math.floor(now / 1000), signature);
  if (failure !== undefined) return refusal(failure);
  const { nonce } = signature;
  return { ...verification(keys, keys.indexOf(match)), ...(nonce !== undefined && { nonce }) };
}

/** What a signature says of the body by its digest, checked against the body. */
function digestFailure(
  message: HttpMessage,
  { components }: ReceivedSignature,
): VerificationFailure | undefined {
  if (!components.some(({ name }) => name === 'content-digest')) return undefined;
  const field = fieldValues(message, 'content-digest')?.join(', ') ?? '';
  return isDigestOf(field, message.body ?? new Uint8Array()) ? undefined : 'mismatch';
}

function coverageFailure(
  policy: Policy,
  { query, body }: HttpMessage,
  { components, created, nonce }: ReceivedSignature,
): VerificationFailure | undefined {
  const wanted = coveredBy(policy, body !== undefined && body.length > 0).filter(
    ({ name }) => name !== '@query' || query !== undefined,
  );
  const isEnough =
    wanted.every((each) => covers(components, each)) &&
    created !== undefined &&
    (!policy.nonce || nonce !== undefined);
  return isEnough ? undefined : 'not_allowed';
}

function timeFailure(
  { toleranceSeconds, futureToleranceSeconds }: Policy,
  now: number,
  { created = 0, expires = Number.POSITIVE_INFINITY }: ReceivedSignature,
): VerificationFailure | undefined {
  if (created > now + futureToleranceSeconds) return 'not_yet_valid';
  return created < now - toleranceSeconds || expires < now ? 'expired' : undefined;
}

function refusal(reason: VerificationFailure): HttpSignatureVerification {
  return { valid: false, reason };
}
