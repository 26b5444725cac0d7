/** The format `slack`: `X-Slack-Signature` over the version, the time and the body. */

import { afterPrefix } from './engine.ts';
import { timestampedFormat } from './timestamped.ts';

const version = 'v0=';

export const slack = timestampedFormat('slack', {
  output: 'hex',
  prefix: ({ timestamp }) => `v0:${timestamp}:`,
  write: ({ timestamp }, [signature]) => ({
    'X-Slack-Request-Timestamp': timestamp,
    'X-Slack-Signature': version + signature,
  }),
  read: (header) => {
    const signature = header('x-slack-signature');
    return {
      timestamp: header('x-slack-request-timestamp'),
      signatures: signature === undefined ? undefined : [afterPrefix(version, signature) ?? ''],
    };
  },
});
