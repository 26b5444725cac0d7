/** Signs a request (RFC 9421 §3.1). Writes the digest of its body and the parameters of the signature. */

import { type BareItem, serializeParameters } from 'structured-headers';
import { malformedField } from '../../api/errors.ts';
import type { HttpSignature } from '../../api/messages.ts';
import type { About, SigningContext } from '../../signing/format.ts';
import { tagOf } from '../../signing/mac.ts';
import type { HttpMessage } from '../http-request.ts';
import { nowSeconds } from '../tolerance.ts';
import { type Component, signatureBase } from './component.ts';
import { contentDigest } from './content-digest.ts';
import { algorithm, type CoveragePolicy, coveredBy } from './coverage.ts';

/** @throws {SignerError} `malformed_request`, `message_too_large` */
export function sign(policy: CoveragePolicy, context: SigningContext, message: HttpMessage): HttpSignature {
  if (message.fields.has('signature-input') || message.fields.has('signature')) {
    throw malformedField('headers', 'must not have signature-input or signature, which the signer writes');
  }
  // If the request gives only the digest of the body, the body may have any size.
  context.checkSize(
    message.body?.length ?? (message.fields.has('content-digest') ? Number.POSITIVE_INFINITY : 0),
  );
  const digest = digestToWrite(policy, message);
  const fields =
    digest === undefined ? message.fields : new Map([...message.fields, ['content-digest', [digest]]]);
  const components = coveredBy(policy, fields.has('content-digest'));
  const [{ id, mac }] = context.keys;
  const parameters = `(${components.map(({ identifier }) => identifier).join(' ')})${describeSignature(policy, context, id)}`;
  const { base, missing } = signatureBase(components, { ...message, fields }, parameters);
  if (missing !== undefined) {
    const what = `must have ${missing.identifier} once and in ASCII, since signatures of this key cover it`;
    throw malformedField(missing.parameter === undefined ? 'headers' : 'url', what);
  }
  const tag = tagOf(mac, base).toString('base64');
  if (context.notes) {
    context.notes.signature = tag;
    context.notes.about = aboutOf(message, components);
  }
  return {
    headers: {
      ...(digest !== undefined && { 'Content-Digest': digest }),
      'Signature-Input': `${policy.label}=${parameters}`,
      Signature: `${policy.label}=:${tag}:`,
    },
    keyId: id,
  };
}

/** What the audit may tell of a signature of a request. */
export function aboutOf({ method, authority }: HttpMessage, components: readonly Component[]): About {
  return {
    method,
    host: authority,
    covers: components.map(({ identifier }) => identifier.slice(1).replace('"', '')),
  };
}

/** The digest to add; undefined if the caller wrote the digest of a body that it does not send here. */
function digestToWrite({ components }: CoveragePolicy, { body, fields }: HttpMessage): string | undefined {
  const isGiven = fields.has('content-digest');
  if (body !== undefined) {
    if (isGiven)
      throw malformedField(
        'headers',
        'must not have content-digest if there is a body: the signer writes it',
      );
    return contentDigest(body);
  }
  return !isGiven && components.some(({ name }) => name === 'content-digest')
    ? contentDigest(new Uint8Array())
    : undefined;
}

/** The signature parameters (RFC 9421 §2.3). */
function describeSignature(
  { expiresSeconds, nonce, tag }: CoveragePolicy,
  context: SigningContext,
  keyid: string,
): string {
  const created = nowSeconds(context.now);
  return serializeParameters(
    new Map<string, BareItem>([
      ['created', created],
      ...(expiresSeconds === undefined ? [] : [['expires', created + expiresSeconds] as const]),
      ...(nonce ? [['nonce', context.random(16).toString('base64url')] as const] : []),
      ['alg', algorithm],
      ['keyid', keyid],
      ...(tag === undefined ? [] : [['tag', tag] as const]),
    ]),
  );
}
