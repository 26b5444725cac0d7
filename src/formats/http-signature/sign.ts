/** Signs a request (RFC 9421 §3.1): writes the digest of its body, and all that the signature says of itself. */

import { type BareItem, serializeParameters } from 'structured-headers';
import type { HttpSignature } from '../../api/messages.ts';
import type { SigningContext } from '../../signing/format.ts';
import { tagOf } from '../../signing/mac.ts';
import { type HttpMessage, malformed } from '../http-request.ts';
import { signatureBase } from './component.ts';
import { contentDigest } from './content-digest.ts';
import { coveredBy, type Policy } from './coverage.ts';

/** @throws {SignerError} `malformed_request`, `message_too_large` */
export function sign(policy: Policy, context: SigningContext, given: HttpMessage): HttpSignature {
  if (given.fields.has('signature-input') || given.fields.has('signature')) {
    throw malformed('headers', 'must not have signature-input or signature, which the signer writes');
  }
  // A body that is not shown may have any size.
  context.checkSize(
    given.body?.length ?? (given.fields.has('content-digest') ? Number.POSITIVE_INFINITY : 0),
  );
  const digest = digestToWrite(policy, given);
  const fields =
    digest === undefined ? given.fields : new Map([...given.fields, ['content-digest', [digest]]]);
  const components = coveredBy(policy, fields.has('content-digest'));
  const [{ id, mac }] = context.keys;
  const parameters = `(${components.map(({ identifier }) => identifier).join(' ')})${describe(policy, context, id)}`;
  const { base, missing } = signatureBase(components, { ...given, fields }, parameters);
  if (missing !== undefined) {
    const what = `must have ${missing.identifier} once and in ASCII, since this key's signatures cover it`;
    throw malformed(missing.parameter === undefined ? 'headers' : 'url', what);
  }
  const tag = tagOf(mac, Buffer.from(base)).toString('base64');
  return {
    headers: {
      ...(digest !== undefined && { 'Content-Digest': digest }),
      'Signature-Input': `${policy.label}=${parameters}`,
      Signature: `${policy.label}=:${tag}:`,
    },
    keyId: id,
  };
}

/** The digest of the body, unless the caller has written that of a body it does not show. */
function digestToWrite({ components }: Policy, { body, fields }: HttpMessage): string | undefined {
  const isGiven = fields.has('content-digest');
  if (body !== undefined) {
    if (isGiven)
      throw malformed('headers', 'must not have content-digest beside a body: the signer writes it');
    return contentDigest(body);
  }
  return !isGiven && components.some(({ name }) => name === 'content-digest')
    ? contentDigest(new Uint8Array())
    : undefined;
}

/** RFC 9421 §2.3. */
function describe({ expiresSeconds, nonce, tag }: Policy, context: SigningContext, keyid: string): string {
  const created = Math.floor(context.now / 1000);
  return serializeParameters(
    new Map<string, BareItem>([
      ['created', created],
      ...(expiresSeconds === undefined ? [] : [['expires', created + expiresSeconds] as const]),
      ...(nonce ? [['nonce', context.random(16).toString('base64url')] as const] : []),
      ['alg', 'hmac-sha256'],
      ['keyid', keyid],
      ...(tag === undefined ? [] : [['tag', tag] as const]),
    ]),
  );
}
