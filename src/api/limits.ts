/** Limits of a request. The signer enforces them, and the client checks them before it sends a request. */

import type { Formats } from './messages.ts';
import { type ProviderName, providers } from './providers.ts';

/** The most bytes of JSON in one request, or in one batch. */
export const maxJsonBytes: number = 2 ** 20;

/** The formats in which the message alone can be the request body, to sign it or to verify it. */
export const streamedFormats: readonly (keyof Formats)[] = [
  'raw',
  'webhook',
  ...(Object.keys(providers) as ProviderName[]),
];

/** No signature of the format `raw` has as many characters as this. */
const maxSignatureLength = 1024;

/**
 * Whether a signature can be sent in a header. Any other text is malformed for every message. Sent anyway, it could be
 * refused by the HTTP client or the signer's HTTP server, which would look like an outage.
 */
export function isSignatureText(text: string): boolean {
  return text.length <= maxSignatureLength && /^[\x21-\x7e]*$/.test(text);
}

/** What the values of the headers `Sec-Signer-Url`, `Sec-Signer-Method` and `Sec-Signer-Id` may be. */
export const targetRule = 'printable ASCII without spaces, at most 4096 characters';

export function isTargetText(text: string): boolean {
  return /^[!-~]{1,4096}$/.test(text);
}
