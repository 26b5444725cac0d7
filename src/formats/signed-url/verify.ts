/** Verifies a signed URL as it was received. */

import type { Invalid, SignedUrlVerification, SignedUrlVerifyRequest } from '../../api/messages.ts';
import type { SigningContext } from '../../signing/format.ts';
import { type Key, tagOf } from '../../signing/mac.ts';
import { invalid, verifyTag } from '../../signing/verify-tag.ts';
import { nowSeconds } from '../tolerance.ts';
import { aboutOf, forbidden, type UrlPolicy } from './policy.ts';
import type { Received } from './scheme.ts';
import { checkMethod } from './sign.ts';
import { parseUrl } from './url-parts.ts';

/** How far the clocks of two signers may differ, for a URL that is valid for as long as the configuration allows. */
const clockDifferenceSeconds = 60;

/** @throws {SignerError} `malformed_request`, `message_too_large` */
export function verify(
  policy: UrlPolicy,
  { keys, now, checkSize, notes }: SigningContext,
  { url, method }: SignedUrlVerifyRequest,
): SignedUrlVerification {
  const { scheme } = policy;
  checkSize(url.length);
  checkMethod(policy, method);
  const parts = parseUrl(url, scheme.form, scheme.pathProblem);
  if (typeof parts === 'string') return invalid('malformed', `the URL ${parts}`);
  const received = scheme.read(parts, method);
  if (typeof received === 'string') return invalid(received);
  const answer = verifySignature(keys, received);
  if (!answer.valid) return answer;
  const failure = checkPolicy(policy, received, method, now) ?? checkTime(received, now);
  if (failure !== undefined) return failure;
  if (notes) {
    notes.signature = Buffer.from(received.tag).toString(scheme.output);
    notes.about = aboutOf(policy, received.url, received.expires);
  }
  return { ...answer, expiresAt: new Date((received.expires ?? 0) * 1000).toISOString() };
}

function verifySignature(keys: SigningContext['keys'], { tag, signed, keyId }: Received) {
  const named = keys.filter(({ id }) => id === keyId);
  // A weak key has another id in each process, so an unknown id selects all keys.
  const candidates = named.length === 0 ? keys : named;
  const answers = signed.map((text) =>
    verifyTag(keys, [tag], ({ mac }: Key) => tagOf(mac, text), candidates),
  );
  return answers.find(({ valid }) => valid) ?? invalid('mismatch');
}

/** What the policy does not accept, although one of the keys made the signature. */
function checkPolicy(
  policy: UrlPolicy,
  { url, expires, refusedBy }: Received,
  method: string | undefined,
  now: number,
): Invalid | undefined {
  if (expires === undefined) return invalid('not_allowed', 'the URL does not expire');
  const isMethod = method === undefined || policy.methods?.includes(method) !== false;
  const isTooLong = expires - nowSeconds(now) > policy.maxExpiresSeconds + clockDifferenceSeconds;
  const limit =
    refusedBy ??
    (isMethod ? undefined : 'methods') ??
    forbidden(policy, url) ??
    (isTooLong ? 'maxExpiresSeconds' : undefined);
  return limit === undefined
    ? undefined
    : invalid('not_allowed', `the configuration limits URLs by "${limit}"`);
}

function checkTime({ expires = 0, starts = 0 }: Received, now: number): Invalid | undefined {
  if (nowSeconds(now) >= expires) return invalid('expired');
  return nowSeconds(now) < starts ? invalid('not_yet_valid') : undefined;
}
