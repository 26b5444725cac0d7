/** Limits of a request, which the signer enforces and the client checks before it sends anything. */

import type { Formats } from './messages.ts';

/** Bytes of the JSON of one request, or of a batch. */
export const maxJsonBytes: number = 2 ** 20;
/** Bytes of the JSON of one request for no tenant whose message could come as it is, and then be of any length. */
export const maxJsonBytesBesideStream: number = 2 ** 16;

/** The formats whose request can be the message as it is, and nothing more. */
export const streamed: Readonly<Record<'sign' | 'verify', readonly (keyof Formats)[]>> = {
  sign: ['raw', 'standard-webhooks', 'github', 'shopify', 'stripe', 'slack'],
  verify: ['raw'],
};
