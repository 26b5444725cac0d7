/** The format `standard-webhooks` (Standard Webhooks v1.0.0): three headers over the id, the time and the body. */

import { afterPrefix } from './engine.ts';
import { timestampedFormat } from './timestamped.ts';

const version = 'v1,';

export const standardWebhooks = timestampedFormat('standard-webhooks', {
  output: 'base64',
  minKeyBytes: 24,
  secretEncoding: 'whsec',
  ids: true,
  several: true,
  prefix: ({ id, timestamp }) => `${id}.${timestamp}.`,
  write: ({ id, timestamp }, signatures) => ({
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.map((each) => version + each).join(' '),
  }),
  read: (header) => {
    // The older names of the same headers; never some of these and some of those.
    const own = ['id', 'timestamp', 'signature'].some((part) => header(`webhook-${part}`) !== undefined);
    const part = (name: string) => header(`${own ? 'webhook' : 'svix'}-${name}`);
    return {
      id: part('id'),
      timestamp: part('timestamp'),
      // Other versions (v1a is Ed25519) are skipped.
      signatures: part('signature')
        ?.split(' ')
        .flatMap((each) => afterPrefix(version, each) ?? []),
    };
  },
});
