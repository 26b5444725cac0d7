/** Signs a URL. The signer sets the time at which the URL expires. */

import { malformedField } from '../../api/errors.ts';
import type { SignedUrl, SignedUrlSignRequest } from '../../api/messages.ts';
import type { SigningContext } from '../../signing/format.ts';
import { tagOf } from '../../signing/mac.ts';
import { methodPattern } from '../http-request.ts';
import { nowSeconds } from '../tolerance.ts';
import { aboutOf, forbidden, notAllowed, type UrlPolicy } from './policy.ts';
import { parseUrl } from './url-parts.ts';

/** @throws {SignerError} `malformed_request`, `operation_not_allowed`, `message_too_large` */
export function sign(
  policy: UrlPolicy,
  { keys, now, checkSize, notes }: SigningContext,
  { url, method, expiresSeconds = policy.maxExpiresSeconds }: SignedUrlSignRequest,
): SignedUrl {
  const { scheme, methods, maxExpiresSeconds } = policy;
  checkSize(url.length);
  checkMethod(policy, method);
  const parts = parseUrl(url, scheme.form, scheme.pathProblem);
  if (typeof parts === 'string') throw malformedField('url', parts);
  const problem = scheme.problem(parts);
  if (problem !== undefined) throw malformedField('url', problem);
  const limit =
    method !== undefined && methods?.includes(method) === false ? 'methods' : forbidden(policy, parts);
  if (limit !== undefined) throw notAllowed(limit);
  if (expiresSeconds > maxExpiresSeconds) throw notAllowed('maxExpiresSeconds');
  const [{ id, mac }] = keys;
  const expires = nowSeconds(now) + expiresSeconds;
  const draft = scheme.draft(parts, { expires, keyId: id, method });
  const tag = tagOf(mac, draft.signed);
  if (notes) {
    notes.signature = tag.toString(scheme.output);
    notes.about = aboutOf(policy, parts, expires);
  }
  return {
    url: draft.write(tag),
    expiresAt: new Date(expires * 1000).toISOString(),
    keyId: id,
  };
}

/** @throws {SignerError} `malformed_request` if a method is given that the signature does not cover, or none that it must */
export function checkMethod({ scheme, methods }: UrlPolicy, method: string | undefined): void {
  if (method === undefined) {
    if (methods === undefined) return;
    throw malformedField('method', 'is required, because the configuration of this key lists methods');
  }
  if (!scheme.coversMethod) {
    throw malformedField('method', 'must not be given, because signatures of this scheme do not cover it');
  }
  if (!methodPattern.test(method)) throw malformedField('method', 'must be in upper case, as it is sent');
}
