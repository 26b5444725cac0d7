/** Limits of a request. The signer enforces them, and the client checks them before it sends a request. */

import type { Formats } from './messages.ts';

/** The most bytes of JSON in one request, or in one batch. */
export const maxJsonBytes: number = 2 ** 20;
/** The most bytes of JSON in a request whose message could instead be the request body, where it may have any length. */
export const maxJsonBytesBesideStream: number = 2 ** 16;

/** The formats in which a message alone, as the request body, is a complete request. */
export const streamed: Readonly<Record<'sign' | 'verify', readonly (keyof Formats)[]>> = {
  sign: ['raw', 'standard-webhooks', 'github', 'shopify', 'stripe', 'slack'],
  verify: ['raw'],
};
