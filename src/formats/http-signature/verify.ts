/** Verifies the signatures of a request, and what they cover (RFC 9421 §3.2). */

import type { HttpSignatureVerification, Invalid } from '../../api/messages.ts';
import type { SigningContext } from '../../signing/format.ts';
import { tagOf } from '../../signing/mac.ts';
import { invalid, verifyTag } from '../../signing/verify-tag.ts';
import { fieldValues, type HttpMessage } from '../http-request.ts';
import { checkAge, nowSeconds } from '../tolerance.ts';
import { covers, signatureBase } from './component.ts';
import { isDigestOf } from './content-digest.ts';
import { algorithm, type CoveragePolicy, coveredBy } from './coverage.ts';
import { type ReceivedSignature, readSignatures } from './received.ts';
import { aboutOf } from './sign.ts';

/** One valid signature is enough: the others may come from a proxy, or use another algorithm. */
export function verify(
  policy: CoveragePolicy,
  context: SigningContext,
  message: HttpMessage,
): HttpSignatureVerification {
  context.checkSize(message.body?.length ?? 0);
  const received = readSignatures(message);
  if ('valid' in received) return received;
  const own = received
    .filter(({ alg = algorithm }) => alg === algorithm)
    .filter(({ applicationTag }) => policy.tag === undefined || applicationTag === policy.tag);
  const answers = own.map((signature) => verifyOne(policy, context, message, signature));
  const at = answers.findIndex(({ valid }) => valid);
  const accepted = own[at];
  if (context.notes && accepted !== undefined) {
    context.notes.signature = Buffer.from(accepted.tag).toString('base64');
    context.notes.about = aboutOf(message, accepted.components);
  }
  return (
    answers[at] ??
    // Every reason except a mismatch means that one of the keys made the signature, so it says more.
    answers.find((answer) => !answer.valid && answer.reason !== 'mismatch') ??
    answers[0] ??
    invalid(
      'not_allowed',
      `no signature has alg ${algorithm}${policy.tag === undefined ? '' : ' and the configured tag'}`,
    )
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
  const answer = verifyTag(keys, [signature.tag], ({ mac }) => tagOf(mac, base), candidates);
  if (!answer.valid) return answer;
  const failure =
    checkDigest(message, signature) ??
    checkCoverage(policy, message, signature) ??
    checkTime(policy, nowSeconds(now), signature);
  if (failure !== undefined) return failure;
  const { nonce } = signature;
  return { ...answer, ...(nonce !== undefined && { nonce }) };
}

/** The signature covers the body only by its digest, so the digest must be that of the body. */
function checkDigest(message: HttpMessage, { components }: ReceivedSignature): Invalid | undefined {
  if (!components.some(({ name }) => name === 'content-digest')) return undefined;
  const field = fieldValues(message, 'content-digest')?.join(', ') ?? '';
  return isDigestOf(field, message.body ?? new Uint8Array())
    ? undefined
    : invalid('mismatch', 'the body is not that of content-digest');
}

function checkCoverage(
  policy: CoveragePolicy,
  { query, body }: HttpMessage,
  { components, created, nonce }: ReceivedSignature,
): Invalid | undefined {
  const required = coveredBy(policy, body !== undefined && body.length > 0).filter(
    ({ name }) => name !== '@query' || query !== undefined,
  );
  const lacking = required.find((each) => !covers(components, each));
  if (lacking !== undefined)
    return invalid('not_allowed', `the signature does not cover ${lacking.identifier}`);
  if (created === undefined) return invalid('not_allowed', 'the signature has no created');
  if (policy.nonce && nonce === undefined) return invalid('not_allowed', 'the signature has no nonce');
  return undefined;
}

function checkTime(
  policy: CoveragePolicy,
  now: number,
  { created = 0, expires = Number.POSITIVE_INFINITY }: ReceivedSignature,
): Invalid | undefined {
  const failure = checkAge(policy, now - created) ?? (expires < now ? 'expired' : undefined);
  return failure && invalid(failure);
}
