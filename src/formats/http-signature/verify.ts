/** Verifies the signatures of a request, and what they cover (RFC 9421 §3.2). */

import type { HttpSignatureVerification, VerificationFailure } from '../../api/messages.ts';
import type { SigningContext } from '../../signing/format.ts';
import { tagOf } from '../../signing/mac.ts';
import { invalid, verifyTag } from '../../signing/verify-tag.ts';
import { fieldValues, type HttpMessage } from '../http-request.ts';
import { checkAge, nowSeconds } from '../tolerance.ts';
import { covers, signatureBase } from './component.ts';
import { isDigestOf } from './content-digest.ts';
import { algorithm, type CoveragePolicy, coveredBy } from './coverage.ts';
import { type ReceivedSignature, readSignatures } from './received.ts';

/** One valid signature is enough: the others may come from a proxy, or use another algorithm. */
export function verify(
  policy: CoveragePolicy,
  context: SigningContext,
  message: HttpMessage,
): HttpSignatureVerification {
  context.checkSize(message.body?.length ?? 0);
  const received = readSignatures(message);
  if (typeof received === 'string') return invalid(received);
  const answers = received
    .filter(({ alg = algorithm }) => alg === algorithm)
    .filter(({ applicationTag }) => policy.tag === undefined || applicationTag === policy.tag)
    .map((signature) => verifyOne(policy, context, message, signature));
  return (
    answers.find(({ valid }) => valid) ??
    // Every reason except a mismatch means that one of the keys made the signature, so it says more.
    answers.find((answer) => !answer.valid && answer.reason !== 'mismatch') ??
    answers[0] ??
    invalid('not_allowed')
  );
}

function verifyOne(
  policy: CoveragePolicy,
  { keys, now }: SigningContext,
  message: HttpMessage,
  signature: ReceivedSignature,
): HttpSignatureVerification {
  const { base } = signatureBase(signature.components, message, signature.signatureParameters);
  if (base === undefined) return invalid('mismatch');
  const named = keys.filter(({ id }) => id === signature.keyid);
  // Another signer may have its own name for the key, so an unknown name selects all keys.
  const candidates = named.length === 0 ? keys : named;
  const bytes = Buffer.from(base);
  const answer = verifyTag(keys, [signature.tag], ({ mac }) => tagOf(mac, bytes), candidates);
  if (!answer.valid) return answer;
  const failure =
    checkDigest(message, signature) ??
    checkCoverage(policy, message, signature) ??
    checkTime(policy, nowSeconds(now), signature);
  if (failure !== undefined) return invalid(failure);
  const { nonce } = signature;
  return { ...answer, ...(nonce !== undefined && { nonce }) };
}

/** The signature covers the body only by its digest, so the digest must be that of the body. */
function checkDigest(
  message: HttpMessage,
  { components }: ReceivedSignature,
): VerificationFailure | undefined {
  if (!components.some(({ name }) => name === 'content-digest')) return undefined;
  const field = fieldValues(message, 'content-digest')?.join(', ') ?? '';
  return isDigestOf(field, message.body ?? new Uint8Array()) ? undefined : 'mismatch';
}

function checkCoverage(
  policy: CoveragePolicy,
  { query, body }: HttpMessage,
  { components, created, nonce }: ReceivedSignature,
): VerificationFailure | undefined {
  const required = coveredBy(policy, body !== undefined && body.length > 0).filter(
    ({ name }) => name !== '@query' || query !== undefined,
  );
  const isEnough =
    required.every((each) => covers(components, each)) &&
    created !== undefined &&
    (!policy.nonce || nonce !== undefined);
  return isEnough ? undefined : 'not_allowed';
}

function checkTime(
  policy: CoveragePolicy,
  now: number,
  { created = 0, expires = Number.POSITIVE_INFINITY }: ReceivedSignature,
): VerificationFailure | undefined {
  return checkAge(policy, now - created) ?? (expires < now ? 'expired' : undefined);
}
