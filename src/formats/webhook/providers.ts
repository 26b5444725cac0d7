/** The webhook formats: how each provider names its headers, and what it signs. */

import { bodyFormat } from './body-only.ts';
import { afterPrefix, listItems } from './engine.ts';
import { timestampedFormat } from './timestamped.ts';

export const github = bodyFormat('github', {
  header: 'X-Hub-Signature-256',
  label: 'sha256=',
  output: 'hex',
});

export const shopify = bodyFormat('shopify', {
  header: 'X-Shopify-Hmac-Sha256',
  label: '',
  output: 'base64',
});

/** The key of an endpoint is its `whsec_…` text itself, which is not decoded. */
export const stripe = timestampedFormat('stripe', {
  output: 'hex',
  several: true,
  prefix: ({ timestamp }) => `${timestamp}.`,
  write: ({ timestamp }, signatures) => ({
    'Stripe-Signature': [`t=${timestamp}`, ...signatures.map((each) => `v1=${each}`)].join(','),
  }),
  read: (header) => {
    const value = header('stripe-signature');
    const items = value === undefined ? undefined : listItems(value);
    const named = (name: string) => items?.flatMap((item) => afterPrefix(name, item) ?? []);
    // A repeated `t` joins to text that fails the timestamp check. Other schemes are ignored (v0 is for tests).
    return { timestamp: named('t=')?.join(), signatures: named('v1=') };
  },
});

export const slack = timestampedFormat('slack', {
  output: 'hex',
  prefix: ({ timestamp }) => `v0:${timestamp}:`,
  write: ({ timestamp }, [signature]) => ({
    'X-Slack-Request-Timestamp': timestamp,
    'X-Slack-Signature': `v0=${signature}`,
  }),
  read: (header) => {
    const value = header('x-slack-signature');
    return {
      timestamp: header('x-slack-request-timestamp'),
      signatures:
        value === undefined ? undefined : listItems(value).map((item) => afterPrefix('v0=', item) ?? ''),
    };
  },
});

const standardParts = ['id', 'timestamp', 'signature'] as const;

/** Standard Webhooks v1.0.0. */
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
    'webhook-signature': signatures.map((each) => `v1,${each}`).join(' '),
  }),
  read: (header) => {
    // Svix still sends the older names. The two groups are never mixed.
    const isStandard = standardParts.some((part) => header(`webhook-${part}`) !== undefined);
    const part = (name: (typeof standardParts)[number]) =>
      header(`${isStandard ? 'webhook' : 'svix'}-${name}`);
    // Pairs of a version and a signature, with a comma in each and between those of a repeated header.
    const words = part('signature')?.split(/[ \t,]+/);
    return {
      id: part('id'),
      timestamp: part('timestamp'),
      // Other versions are ignored (v1a is Ed25519).
      signatures: words?.filter((_, at) => words[at - 1] === 'v1'),
    };
  },
});
