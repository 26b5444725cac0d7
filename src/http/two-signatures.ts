/** Verify requests that carry a signature in their HTTP headers and another one in their body. */

import { SignerError } from '../api/errors.ts';
import { targetHeaders } from '../api/message-headers.ts';
import type { AuthorizedOperation } from '../signer.ts';

/** A receiver sets these beside a message, also beside one that came without any signature. */
const receivedTarget = [targetHeaders.url, targetHeaders.method];

/**
 * Refuses a verify request that carries a signature in its HTTP headers and is JSON all the same. A receiver that passes on
 * the sender's Content-Type would otherwise let the sender write the whole verify request, with a signature that it has.
 */
export function refuseTwoSignatures({ headers }: Request, { operation, keySet }: AuthorizedOperation): void {
  const { verificationHeaders } = keySet.settings.format;
  if (operation !== 'verify' || verificationHeaders === undefined) return;
  if (![...verificationHeaders, ...receivedTarget].some((name) => headers.has(name))) return;
  throw new SignerError(
    'malformed_request',
    'the signature is in the HTTP headers, so the body must be the message itself with Content-Type: application/octet-stream; in JSON, the headers belong in the field "headers"',
  );
}
