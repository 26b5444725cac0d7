/** The format `stripe`: `Stripe-Signature` over the time and the body. Its key is the whole `whsec_…` text. */

import { afterPrefix } from './engine.ts';
import { timestampedFormat } from './timestamped.ts';

export const stripe = timestampedFormat('stripe', {
  output: 'hex',
  several: true,
  prefix: ({ timestamp }) => `${timestamp}.`,
  write: ({ timestamp }, signatures) => ({
    'Stripe-Signature': [`t=${timestamp}`, ...signatures.map((each) => `v1=${each}`)].join(','),
  }),
  read: (header) => {
    const elements = header('stripe-signature')?.split(',');
    const named = (name: string) => elements?.flatMap((element) => afterPrefix(name, element) ?? []);
    // Two times, joined, are none. Other schemes (v0 is for tests) are skipped.
    return { timestamp: named('t=')?.join(), signatures: named('v1=') };
  },
});
