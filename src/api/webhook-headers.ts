/** The webhook formats, and the headers of a received message in which each looks for its signature. */

export type WebhookName = 'standard-webhooks' | 'github' | 'shopify' | 'stripe' | 'slack';

/**
 * The names, in lower case. The signer looks up no others, and whoever passes on the headers of a received message passes
 * on no others.
 */
export const webhookHeaders: Readonly<Record<WebhookName, readonly string[]>> = {
  'standard-webhooks': [
    'webhook-id',
    'svix-id',
    'webhook-timestamp',
    'svix-timestamp',
    'webhook-signature',
    'svix-signature',
  ],
  github: ['x-hub-signature-256'],
  shopify: ['x-shopify-hmac-sha256', 'shopify-hmac-sha256'],
  stripe: ['stripe-signature'],
  slack: ['x-slack-request-timestamp', 'x-slack-signature'],
};
