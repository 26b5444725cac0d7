/** The webhook schemes of known providers. docs/formats/providers.md says how each was checked. */

export const providers = {
  // Those with a page of their own in the documentation.
  'standard-webhooks': {
    source: 'https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md',
    secretEncoding: 'whsec',
    minKeyBytes: 24,
    signed: '{id}.{timestamp}.{body}',
    headers: {
      'webhook-id': '{id}',
      'webhook-timestamp': '{timestamp}',
      'webhook-signature': { items: ['v1,{signature}'], separator: ' ' },
    },
    output: 'base64',
    aliases: {
      'webhook-id': ['svix-id'],
      'webhook-timestamp': ['svix-timestamp'],
      'webhook-signature': ['svix-signature'],
    },
  },
  github: {
    source: 'https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries',
    signed: '{body}',
    headers: { 'X-Hub-Signature-256': 'sha256={signature}' },
  },
  shopify: {
    source: 'https://shopify.dev/docs/apps/build/webhooks/subscribe/https',
    signed: '{body}',
    headers: { 'X-Shopify-Hmac-Sha256': '{signature}' },
    output: 'base64',
    aliases: { 'X-Shopify-Hmac-Sha256': ['shopify-hmac-sha256'] },
  },
  stripe: {
    source: 'https://docs.stripe.com/webhooks/signature',
    signed: '{timestamp}.{body}',
    headers: { 'Stripe-Signature': ['t={timestamp}', 'v1={signature}'] },
  },
  slack: {
    source: 'https://docs.slack.dev/authentication/verifying-requests-from-slack',
    signed: 'v0:{timestamp}:{body}',
    headers: {
      'X-Slack-Request-Timestamp': '{timestamp}',
      'X-Slack-Signature': 'v0={signature}',
    },
  },

  // The scheme of Standard Webhooks under other names.
  svix: {
    source: 'https://docs.svix.com/receiving/verifying-payloads/how-manual',
    secretEncoding: 'whsec',
    minKeyBytes: 24,
    signed: '{id}.{timestamp}.{body}',
    headers: {
      'svix-id': '{id}',
      'svix-timestamp': '{timestamp}',
      'svix-signature': { items: ['v1,{signature}'], separator: ' ' },
    },
    output: 'base64',
    aliases: {
      'svix-id': ['webhook-id'],
      'svix-timestamp': ['webhook-timestamp'],
      'svix-signature': ['webhook-signature'],
    },
  },
  gitlab: {
    source: 'https://docs.gitlab.com/user/project/integrations/webhooks/',
    secretEncoding: 'whsec',
    minKeyBytes: 24,
    signed: '{id}.{timestamp}.{body}',
    headers: {
      'webhook-id': '{id}',
      'webhook-timestamp': '{timestamp}',
      'webhook-signature': { items: ['v1,{signature}'], separator: ' ' },
    },
    output: 'base64',
  },
  bigcommerce: {
    source:
      'https://github.com/bigcommerce/docs/blob/main/docs/integrations/webhooks/https-webhook-overview.mdx',
    signed: '{id}.{timestamp}.{body}',
    headers: {
      'webhook-id': '{id}',
      'webhook-timestamp': '{timestamp}',
      'webhook-signature': { items: ['v1,{signature}'], separator: ' ' },
    },
    output: 'base64',
  },

  // A timestamp and the body.
  zoom: {
    source: 'https://developers.zoom.us/docs/api/webhooks/',
    signed: 'v0:{timestamp}:{body}',
    headers: { 'x-zm-request-timestamp': '{timestamp}', 'x-zm-signature': 'v0={signature}' },
    challenge: {
      signed: '{token}',
      response: '{signature}',
      output: 'hex',
      pattern: '[A-Za-z0-9_-]{8,128}',
    },
  },
  zendesk: {
    source: 'https://developer.zendesk.com/documentation/webhooks/verifying/',
    signed: '{timestamp}{body}',
    headers: {
      'X-Zendesk-Webhook-Signature': '{signature}',
      'X-Zendesk-Webhook-Signature-Timestamp': '{timestamp}',
    },
    output: 'base64',
    timestamp: 'rfc3339',
  },
  paddle: {
    source: 'https://developer.paddle.com/webhooks/signature-verification',
    signed: '{timestamp}:{body}',
    headers: { 'Paddle-Signature': { items: ['ts={timestamp}', 'h1={signature}'], separator: ';' } },
    toleranceSeconds: 5,
    // Its client for Node reads the last signature only.
    signWith: 'primary',
  },
  calendly: {
    source: 'https://developer.calendly.com/api-docs/overview/webhooks/webhook-signatures',
    signed: '{timestamp}.{body}',
    headers: { 'Calendly-Webhook-Signature': ['t={timestamp}', 'v1={signature}'] },
    toleranceSeconds: 180,
  },
  linear: {
    source: 'https://linear.app/developers/webhooks',
    signed: '{body}',
    headers: { 'Linear-Signature': '{signature}' },
    timestamp: 'milliseconds',
    bodyTimestamp: '/webhookTimestamp',
    toleranceSeconds: 60,
  },
  box: {
    source: 'https://developer.box.com/guides/webhooks/v2/signatures-v2/',
    signed: '{body}{timestamp}',
    headers: {
      'box-delivery-timestamp': '{timestamp}',
      'box-signature-version': '1',
      'box-signature-algorithm': 'HmacSHA256',
      'box-signature-{n}': '{signature}',
    },
    names: ['primary', 'secondary'],
    output: 'base64',
    timestamp: 'rfc3339',
    toleranceSeconds: 600,
  },
  twitch: {
    source: 'https://dev.twitch.tv/docs/eventsub/handling-webhook-events/',
    signed: '{id}{timestamp}{body}',
    headers: {
      'Twitch-Eventsub-Message-Id': '{id}',
      'Twitch-Eventsub-Message-Timestamp': '{timestamp}',
      'Twitch-Eventsub-Message-Signature': 'sha256={signature}',
    },
    timestamp: 'rfc3339',
    toleranceSeconds: 600,
    ambiguous: true,
  },
  mux: {
    source: 'https://www.mux.com/docs/core/verify-webhook-signatures',
    signed: '{timestamp}.{body}',
    headers: { 'Mux-Signature': ['t={timestamp}', 'v1={signature}'] },
  },
  sanity: {
    source: 'https://github.com/sanity-io/webhook-toolkit',
    signed: '{timestamp}.{body}',
    headers: { 'sanity-webhook-signature': ['t={timestamp}', 'v1={signature}'] },
    output: 'base64url',
    timestamp: 'milliseconds',
  },
  workos: {
    source: 'https://workos.com/docs/events/data-syncing/webhooks',
    signed: '{timestamp}.{body}',
    headers: { 'WorkOS-Signature': { items: ['t={timestamp}', 'v1={signature}'], separator: ', ' } },
    timestamp: 'milliseconds',
    toleranceSeconds: 180,
  },
  elevenlabs: {
    source: 'https://github.com/elevenlabs/elevenlabs-js/blob/main/src/wrapper/webhooks.ts',
    signed: '{timestamp}.{body}',
    headers: { 'ElevenLabs-Signature': ['t={timestamp}', 'v0={signature}'] },
    toleranceSeconds: 1800,
    futureToleranceSeconds: 300,
  },
  cashfree: {
    source: 'https://www.cashfree.com/docs/payments/online/webhooks/signature-verification',
    signed: '{timestamp}{body}',
    headers: { 'x-webhook-signature': '{signature}', 'x-webhook-timestamp': '{timestamp}' },
    output: 'base64',
    timestamp: 'milliseconds',
    ambiguous: true,
  },

  // The URL.
  twilio: {
    source: 'https://www.twilio.com/docs/usage/webhooks/webhooks-security',
    algorithm: 'HMAC-SHA1',
    signed: '{url}{form}',
    headers: { 'X-Twilio-Signature': '{signature}' },
    output: 'base64',
    urlPort: 'either',
    ambiguous: true,
  },
  hubspot: {
    source:
      'https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation',
    signed: '{method}{url}{body}{timestamp}',
    headers: {
      'X-HubSpot-Signature-v3': '{signature}',
      'X-HubSpot-Request-Timestamp': '{timestamp}',
    },
    output: 'base64',
    timestamp: 'milliseconds',
    decodedInUrl: ":/?@!$'()*,;",
    ambiguous: true,
  },
  square: {
    source: 'https://developer.squareup.com/docs/webhooks/step3validate',
    signed: '{url}{body}',
    headers: { 'x-square-hmacsha256-signature': '{signature}' },
    output: 'base64',
    ambiguous: true,
  },
  trello: {
    source: 'https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/',
    algorithm: 'HMAC-SHA1',
    signed: '{body}{url}',
    headers: { 'X-Trello-Webhook': '{signature}' },
    output: 'base64',
    ambiguous: true,
  },

  // Several signatures of the body.
  pagerduty: {
    source: 'https://github.com/PagerDuty/go-pagerduty/blob/main/webhookv3/webhookv3.go',
    signed: '{body}',
    headers: { 'X-PagerDuty-Signature': ['v1={signature}'] },
  },
  circleci: {
    source: 'https://circleci.com/docs/guides/integration/outbound-webhooks/',
    signed: '{body}',
    headers: { 'circleci-signature': ['v1={signature}'] },
  },
  docusign: {
    source: 'https://developers.docusign.com/platform/webhooks/connect/hmac/',
    signed: '{body}',
    headers: { 'X-DocuSign-Signature-{n}': '{signature}' },
    output: 'base64',
  },

  // The body alone.
  meta: {
    source: 'https://developers.facebook.com/docs/graph-api/webhooks/getting-started',
    signed: '{body}',
    headers: { 'X-Hub-Signature-256': 'sha256={signature}' },
  },
  'lemon-squeezy': {
    source: 'https://docs.lemonsqueezy.com/help/webhooks/signing-requests',
    signed: '{body}',
    headers: { 'X-Signature': '{signature}' },
  },
  razorpay: {
    source: 'https://razorpay.com/docs/webhooks/validate-test/',
    signed: '{body}',
    headers: { 'X-Razorpay-Signature': '{signature}' },
  },
  paystack: {
    source: 'https://paystack.com/docs/payments/webhooks/',
    algorithm: 'HS512',
    signed: '{body}',
    headers: { 'x-paystack-signature': '{signature}' },
  },
  dropbox: {
    source: 'https://www.dropbox.com/developers/reference/webhooks',
    signed: '{body}',
    headers: { 'X-Dropbox-Signature': '{signature}' },
  },
  intercom: {
    source: 'https://developers.intercom.com/docs/references/webhooks/webhook-models',
    algorithm: 'HMAC-SHA1',
    signed: '{body}',
    headers: { 'X-Hub-Signature': 'sha1={signature}' },
  },
  vercel: {
    source: 'https://vercel.com/docs/webhooks/webhooks-api',
    algorithm: 'HMAC-SHA1',
    signed: '{body}',
    headers: { 'x-vercel-signature': '{signature}' },
  },
  typeform: {
    source: 'https://www.typeform.com/developers/webhooks/secure-your-webhooks/',
    signed: '{body}',
    headers: { 'Typeform-Signature': 'sha256={signature}' },
    output: 'base64',
  },
  xero: {
    source:
      'https://github.com/XeroAPI/XeroWebhooksReceiver/blob/master/XeroWebhooksReceiver/Helpers/SignatureVerifier.cs',
    signed: '{body}',
    headers: { 'x-xero-signature': '{signature}' },
    output: 'base64',
  },
  mollie: {
    source: 'https://github.com/mollie/mollie-api-php/blob/master/src/Webhooks/SignatureValidator.php',
    signed: '{body}',
    headers: { 'X-Mollie-Signature': 'sha256={signature}' },
  },
  line: {
    source: 'https://developers.line.biz/en/reference/messaging-api/#signature-validation',
    signed: '{body}',
    headers: { 'x-line-signature': '{signature}' },
    output: 'base64',
  },
  woocommerce: {
    source:
      'https://github.com/woocommerce/woocommerce/blob/trunk/plugins/woocommerce/includes/class-wc-webhook.php',
    signed: '{body}',
    headers: { 'X-WC-Webhook-Signature': '{signature}' },
    output: 'base64',
  },
  bitbucket: {
    source: 'https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/',
    signed: '{body}',
    headers: { 'X-Hub-Signature': 'sha256={signature}' },
  },
  jira: {
    source: 'https://developer.atlassian.com/cloud/jira/platform/webhooks/',
    signed: '{body}',
    headers: { 'X-Hub-Signature': 'sha256={signature}' },
  },
  sentry: {
    source: 'https://docs.sentry.io/organization/integrations/integration-platform/webhooks/',
    signed: '{body}',
    headers: { 'Sentry-Hook-Signature': '{signature}' },
  },
  asana: {
    source: 'https://developers.asana.com/docs/webhooks-guide',
    signed: '{body}',
    headers: { 'X-Hook-Signature': '{signature}' },
  },
  notion: {
    source: 'https://developers.notion.com/reference/webhooks',
    signed: '{body}',
    headers: { 'X-Notion-Signature': 'sha256={signature}' },
  },
  x: {
    source: 'https://docs.x.com/x-api/webhooks/quickstart',
    signed: '{body}',
    headers: { 'x-twitter-webhooks-signature': 'sha256={signature}' },
    output: 'base64',
    challenge: {
      signed: '{token}',
      response: 'sha256={signature}',
      output: 'base64',
      pattern: '[A-Za-z0-9_+/=-]{8,128}',
    },
  },
  'coinbase-commerce': {
    source: 'https://github.com/coinbase/coinbase-commerce-node/blob/master/lib/Webhook.js',
    signed: '{body}',
    headers: { 'X-CC-Webhook-Signature': '{signature}' },
  },
  gocardless: {
    source: 'https://github.com/gocardless/gocardless-nodejs/blob/master/src/webhooks.ts',
    signed: '{body}',
    headers: { 'Webhook-Signature': '{signature}' },
  },
  gitea: {
    source: 'https://github.com/go-gitea/gitea/blob/main/services/webhook/deliver.go',
    signed: '{body}',
    headers: { 'X-Gitea-Signature': '{signature}' },
  },
} as const;

/** The names of the formats of known providers. */
export type ProviderName = keyof typeof providers;
