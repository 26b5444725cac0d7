/**
 * What each provider sends, written from its documentation with `createHmac` alone and without the table of schemes, so
 * that a mistake in the table shows.
 */

import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { providers } from '../../src/api/providers.ts';

export type ProviderName = keyof typeof providers;

export interface Message {
  readonly body: string;
  /** For schemes that sign it. */
  readonly url?: string;
  readonly method?: string;
}

export type Headers = Readonly<Record<string, string>>;

/** What is signed in addition to the message. Empty in schemes that do not sign it. */
export interface Moment {
  readonly timestamp: string;
  readonly id: string;
}

export interface Sender {
  /** A new secret as the provider shows it. Default: 64 hexadecimal digits, whose text is the key. */
  readonly secret?: () => string;
  /** Default: a JSON body. */
  readonly message?: (nowMs: number) => Message;
  readonly headers: (message: Message, secret: string, moment: Moment) => Headers;
  /** How the provider writes a time. Absent in schemes that sign none. */
  readonly time?: (nowMs: number) => string;
  /** What the headers of a signed message say. */
  readonly moment?: (headers: Headers) => Partial<Moment>;
}

const hmac = (hash: string, key: string | Uint8Array, ...parts: readonly string[]) => {
  const stream = createHmac(hash, key);
  for (const part of parts) stream.update(part);
  return stream;
};
const hex = (key: string, ...parts: readonly string[]) => hmac('sha256', key, ...parts).digest('hex');
const base64 = (key: string, ...parts: readonly string[]) => hmac('sha256', key, ...parts).digest('base64');

const seconds = (nowMs: number) => `${Math.floor(nowMs / 1000)}`;
const milliseconds = (nowMs: number) => `${nowMs}`;
const wholeSeconds = (nowMs: number) => new Date(nowMs).toISOString().replace(/\.\d+/, '');

/** The text of a header between what comes before and after it. */
const within = (name: string, pattern: RegExp) => (headers: Headers) => ({
  timestamp: pattern.exec(headers[name] ?? '')?.[1] ?? '',
});

/** A scheme that signs the body alone. */
const ofBody = (headers: (body: string, secret: string) => Headers): Sender => ({
  headers: ({ body }, secret) => headers(body, secret),
});

const whsec = () => `whsec_${randomBytes(32).toString('base64')}`;
const decoded = (secret: string) => Buffer.from(secret.replace('whsec_', ''), 'base64');

/** Standard Webhooks under the names of a provider. */
const standard = (
  prefix: string,
  keyOf: (secret: string) => string | Uint8Array,
): Omit<Sender, 'secret'> => ({
  time: seconds,
  moment: (headers) => ({
    id: headers[`${prefix}-id`] ?? '',
    timestamp: headers[`${prefix}-timestamp`] ?? '',
  }),
  headers: ({ body }, secret, { id, timestamp }) => ({
    [`${prefix}-id`]: id,
    [`${prefix}-timestamp`]: timestamp,
    [`${prefix}-signature`]: `v1,${hmac('sha256', keyOf(secret), id, '.', timestamp, '.', body).digest('base64')}`,
  }),
});

export const url = 'https://hooks.shop.example/in/hook?store=1&lang=de';
const withUrl = (): Message => ({ body: json, url });
export const json: string = JSON.stringify({
  event: { id: 'e1', type: 'order.paid' },
  note: 'naïve ☃ snow',
  items: [1, 2.5],
});

const formPairs = (body: string) => {
  const form = new URLSearchParams(body);
  const names = [...new Set(form.keys())].sort();
  return names
    .flatMap((name) => [...new Set(form.getAll(name))].sort().map((value) => name + value))
    .join('');
};

export const senders: Readonly<Record<ProviderName, Sender>> = {
  'standard-webhooks': { secret: whsec, ...standard('webhook', decoded) },
  svix: { secret: whsec, ...standard('svix', decoded) },
  gitlab: { secret: whsec, ...standard('webhook', decoded) },
  bigcommerce: standard('webhook', (secret) => secret),
  github: ofBody((body, secret) => ({ 'X-Hub-Signature-256': `sha256=${hex(secret, body)}` })),
  shopify: ofBody((body, secret) => ({ 'X-Shopify-Hmac-Sha256': base64(secret, body) })),
  stripe: {
    time: seconds,
    moment: within('Stripe-Signature', /t=(\d+)/),
    headers: ({ body }, secret, { timestamp: t }) => ({
      'Stripe-Signature': `t=${t},v1=${hex(secret, `${t}.`, body)}`,
    }),
  },
  slack: {
    time: seconds,
    moment: within('X-Slack-Request-Timestamp', /(.*)/),
    headers: ({ body }, secret, { timestamp }) => ({
      'X-Slack-Request-Timestamp': timestamp,
      'X-Slack-Signature': `v0=${hex(secret, `v0:${timestamp}:`, body)}`,
    }),
  },
  zoom: {
    time: seconds,
    message: () => ({ body: '{"event":"meeting.started","payload":{"topic":"snow"}}' }),
    moment: within('x-zm-request-timestamp', /(.*)/),
    headers: ({ body }, secret, { timestamp }) => ({
      'x-zm-request-timestamp': timestamp,
      'x-zm-signature': `v0=${hex(secret, `v0:${timestamp}:`, body)}`,
    }),
  },
  zendesk: {
    time: wholeSeconds,
    moment: within('X-Zendesk-Webhook-Signature-Timestamp', /(.*)/),
    headers: ({ body }, secret, { timestamp }) => ({
      'X-Zendesk-Webhook-Signature': base64(secret, timestamp, body),
      'X-Zendesk-Webhook-Signature-Timestamp': timestamp,
    }),
  },
  paddle: {
    time: seconds,
    moment: within('Paddle-Signature', /ts=(\d+)/),
    headers: ({ body }, secret, { timestamp: ts }) => ({
      'Paddle-Signature': `ts=${ts};h1=${hex(secret, `${ts}:`, body)}`,
    }),
  },
  calendly: {
    time: seconds,
    moment: within('Calendly-Webhook-Signature', /t=(\d+)/),
    headers: ({ body }, secret, { timestamp: t }) => ({
      'Calendly-Webhook-Signature': `t=${t},v1=${hex(secret, `${t}.`, body)}`,
    }),
  },
  linear: {
    // The time is in the body.
    message: (nowMs) => ({ body: `{"action":"create","note":"snow","webhookTimestamp":${nowMs}}` }),
    headers: ({ body }, secret) => ({ 'Linear-Signature': hex(secret, body) }),
  },
  box: {
    // Box writes times with the offset of its servers.
    time: (nowMs) => `${wholeSeconds(nowMs - 7 * 3_600_000).slice(0, -1)}-07:00`,
    moment: within('box-delivery-timestamp', /(.*)/),
    headers: ({ body }, secret, { timestamp }) => ({
      'box-delivery-timestamp': timestamp,
      'box-signature-version': '1',
      'box-signature-algorithm': 'HmacSHA256',
      'box-signature-primary': base64(secret, body, timestamp),
    }),
  },
  twitch: {
    // Twitch writes nanoseconds.
    time: (nowMs) => `${wholeSeconds(nowMs).slice(0, -1)}.123456789Z`,
    moment: (headers) => ({
      id: headers['Twitch-Eventsub-Message-Id'] ?? '',
      timestamp: headers['Twitch-Eventsub-Message-Timestamp'] ?? '',
    }),
    headers: ({ body }, secret, { id, timestamp }) => ({
      'Twitch-Eventsub-Message-Id': id,
      'Twitch-Eventsub-Message-Timestamp': timestamp,
      'Twitch-Eventsub-Message-Signature': `sha256=${hex(secret, id, timestamp, body)}`,
    }),
  },
  mux: {
    time: seconds,
    moment: within('Mux-Signature', /t=(\d+)/),
    headers: ({ body }, secret, { timestamp: t }) => ({
      'Mux-Signature': `t=${t},v1=${hex(secret, `${t}.`, body)}`,
    }),
  },
  sanity: {
    time: milliseconds,
    moment: within('sanity-webhook-signature', /t=(\d+)/),
    headers: ({ body }, secret, { timestamp: t }) => ({
      'sanity-webhook-signature': `t=${t},v1=${hmac('sha256', secret, `${t}.`, body).digest('base64url')}`,
    }),
  },
  workos: {
    time: milliseconds,
    moment: within('WorkOS-Signature', /t=(\d+)/),
    headers: ({ body }, secret, { timestamp: t }) => ({
      'WorkOS-Signature': `t=${t}, v1=${hex(secret, `${t}.`, body)}`,
    }),
  },
  elevenlabs: {
    time: seconds,
    moment: within('ElevenLabs-Signature', /t=(\d+)/),
    headers: ({ body }, secret, { timestamp: t }) => ({
      'ElevenLabs-Signature': `t=${t},v0=${hex(secret, `${t}.`, body)}`,
    }),
  },
  cashfree: {
    time: milliseconds,
    moment: within('x-webhook-timestamp', /(.*)/),
    headers: ({ body }, secret, { timestamp }) => ({
      'x-webhook-signature': base64(secret, timestamp, body),
      'x-webhook-timestamp': timestamp,
    }),
  },
  twilio: {
    message: () => ({ body: 'To=%2B18005551212&Body=na%C3%AFve+snow&Digits=2&Digits=1&Digits=2', url }),
    headers: ({ body, url = '' }, secret) => {
      // A body that is no form is covered by its digest in the URL.
      const form = url.includes('bodySHA256=') ? '' : formPairs(body);
      return { 'X-Twilio-Signature': hmac('sha1', secret, url, form).digest('base64') };
    },
  },
  hubspot: {
    time: milliseconds,
    message: () => ({ body: json, url, method: 'POST' }),
    moment: within('X-HubSpot-Request-Timestamp', /(.*)/),
    headers: ({ body, url = '', method = '' }, secret, { timestamp }) => ({
      'X-HubSpot-Signature-v3': base64(secret, method, url, body, timestamp),
      'X-HubSpot-Request-Timestamp': timestamp,
    }),
  },
  square: {
    message: withUrl,
    headers: ({ body, url = '' }, secret) => ({ 'x-square-hmacsha256-signature': base64(secret, url, body) }),
  },
  trello: {
    message: withUrl,
    headers: ({ body, url = '' }, secret) => ({
      'X-Trello-Webhook': hmac('sha1', secret, body, url).digest('base64'),
    }),
  },
  pagerduty: ofBody((body, secret) => ({ 'X-PagerDuty-Signature': `v1=${hex(secret, body)}` })),
  circleci: ofBody((body, secret) => ({ 'circleci-signature': `v1=${hex(secret, body)}` })),
  docusign: ofBody((body, secret) => ({ 'X-DocuSign-Signature-1': base64(secret, body) })),
  meta: ofBody((body, secret) => ({ 'X-Hub-Signature-256': `sha256=${hex(secret, body)}` })),
  'lemon-squeezy': ofBody((body, secret) => ({ 'X-Signature': hex(secret, body) })),
  razorpay: ofBody((body, secret) => ({ 'X-Razorpay-Signature': hex(secret, body) })),
  paystack: ofBody((body, secret) => ({
    'x-paystack-signature': hmac('sha512', secret, body).digest('hex'),
  })),
  dropbox: ofBody((body, secret) => ({ 'X-Dropbox-Signature': hex(secret, body) })),
  intercom: ofBody((body, secret) => ({
    'X-Hub-Signature': `sha1=${hmac('sha1', secret, body).digest('hex')}`,
  })),
  vercel: ofBody((body, secret) => ({ 'x-vercel-signature': hmac('sha1', secret, body).digest('hex') })),
  typeform: ofBody((body, secret) => ({ 'Typeform-Signature': `sha256=${base64(secret, body)}` })),
  xero: ofBody((body, secret) => ({ 'x-xero-signature': base64(secret, body) })),
  mollie: ofBody((body, secret) => ({ 'X-Mollie-Signature': `sha256=${hex(secret, body)}` })),
  line: ofBody((body, secret) => ({ 'x-line-signature': base64(secret, body) })),
  woocommerce: ofBody((body, secret) => ({ 'X-WC-Webhook-Signature': base64(secret, body) })),
  bitbucket: ofBody((body, secret) => ({ 'X-Hub-Signature': `sha256=${hex(secret, body)}` })),
  jira: ofBody((body, secret) => ({ 'X-Hub-Signature': `sha256=${hex(secret, body)}` })),
  sentry: ofBody((body, secret) => ({ 'Sentry-Hook-Signature': hex(secret, body) })),
  asana: ofBody((body, secret) => ({ 'X-Hook-Signature': hex(secret, body) })),
  notion: ofBody((body, secret) => ({ 'X-Notion-Signature': `sha256=${hex(secret, body)}` })),
  x: ofBody((body, secret) => ({ 'x-twitter-webhooks-signature': `sha256=${base64(secret, body)}` })),
  'coinbase-commerce': ofBody((body, secret) => ({ 'X-CC-Webhook-Signature': hex(secret, body) })),
  gocardless: ofBody((body, secret) => ({ 'Webhook-Signature': hex(secret, body) })),
  gitea: ofBody((body, secret) => ({ 'X-Gitea-Signature': hex(secret, body) })),
};

/** The URL that Twilio calls with a JSON body. */
export function withDigest(address: string, body: string): string {
  return `${address}&bodySHA256=${createHash('sha256').update(body).digest('hex')}`;
}

/** A message that a provider published, in `test/vectors`. */
export interface Vector {
  readonly name: string;
  readonly secret: string;
  readonly body: string;
  readonly url?: string;
  readonly headers: Headers;
}

/** The providers with published vectors. The older files of other formats have another shape. */
export const published = [
  'bitbucket',
  'box',
  'circleci',
  'gocardless',
  'jira',
  'line',
  'paddle',
  'pagerduty',
  'razorpay',
  'sanity',
  'twilio',
] as const satisfies readonly ProviderName[];
