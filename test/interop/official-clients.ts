/** The verification of the providers' own libraries, with the parts of their types that it needs. */

import { setTimeout as delay } from 'node:timers/promises';
import * as octokit from '@octokit/webhooks-methods';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { vi } from 'vitest';
import { load } from './clients.ts';
import { type Headers, type Message, type ProviderName, senders } from './provider-messages.ts';

/** Whether the library accepts a message; some libraries throw if they do not. */
type Verify = (message: Message, headers: Headers, secret: string) => unknown;

interface Twilio {
  validateRequest(token: string, signature: string, url: string, parameters: object): boolean;
  validateRequestWithBody(token: string, signature: string, url: string, body: string): boolean;
}
interface HubSpot {
  readonly Signature: { isValid(options: object): boolean };
}
interface Square {
  readonly WebhooksHelper: { verifySignature(options: object): Promise<boolean> };
}
interface Paddle {
  readonly Paddle: new (
    key: string,
  ) => { readonly webhooks: { isSignatureValid(...args: string[]): Promise<boolean> } };
}
interface Razorpay {
  validateWebhookSignature(body: string, signature: string, secret: string): boolean;
}
interface Linear {
  readonly LinearWebhookClient: new (secret: string) => { verify(body: Buffer, signature: string): boolean };
}
interface Line {
  validateSignature(body: string, secret: string, signature: string): boolean;
}
interface Svix {
  readonly Webhook: new (secret: string) => { verify(body: string, headers: Headers): void };
}
interface Rivet {
  readonly AwsLambdaReceiver: new (options: {
    webhooksSecretToken: string;
  }) => {
    start(): (event: object) => Promise<{ readonly statusCode: number; readonly body: string }>;
  };
}
interface Notion {
  verifyWebhookSignature(options: object): Promise<boolean>;
}
interface Coinbase {
  readonly Webhook: { verifyEventBody(body: string, signature: string, secret: string): object };
}
interface Box {
  readonly WebhooksManager: {
    validateMessage(body: string, headers: Headers, key: string, options?: object): Promise<boolean>;
  };
}
interface Mux {
  readonly Mux: new (
    options: object,
  ) => {
    readonly webhooks: { verifySignature(body: string, headers: Headers, secret: string): Promise<void> };
  };
}
interface Sanity {
  isValidSignature(body: string, signature: string, secret: string): Promise<boolean>;
}
interface WorkOs {
  readonly WorkOS: new (
    key: string,
  ) => { readonly webhooks: { verifyHeader(options: object): Promise<boolean> } };
}
interface GoCardless {
  verifySignature(body: string, secret: string, signature: string): void;
}

const lowerCase = (headers: Headers) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/** A call that throws if the library does not accept the message. */
const unlessThrown = (call: () => unknown) => {
  call();
  return true;
};

/** Zoom's library is a web server or a function for AWS Lambda; the function is called here. */
export async function callRivet(body: string, headers: Headers, secret: string): Promise<string | undefined> {
  const { AwsLambdaReceiver } = load<Rivet>('@zoom/rivet/meetings');
  const handle = new AwsLambdaReceiver({ webhooksSecretToken: secret }).start();
  // It prints every message.
  const printed = vi.spyOn(console, 'debug').mockReturnValue(undefined);
  try {
    const answer = await handle({ body, headers, isBase64Encoded: false });
    return answer.statusCode === 200 ? answer.body : undefined;
  } finally {
    printed.mockRestore();
  }
}

/** Box's library reads two keys, each from a header of its own. */
export function verifyBox(body: string, headers: Headers, primary: string, secondary?: string): unknown {
  return load<Box>('box-node-sdk/lib/managers/webhooks').WebhooksManager.validateMessage(
    body,
    lowerCase(headers),
    primary,
    { secondaryKey: secondary },
  );
}

const verifiers: Readonly<Partial<Record<ProviderName, Verify>>> = {
  'standard-webhooks': ({ body }, headers, secret) =>
    unlessThrown(() => new StandardWebhook(secret).verify(body, { ...headers })),
  // GitLab implements Standard Webhooks, and the page of BigCommerce calls its library in this way.
  gitlab: ({ body }, headers, secret) =>
    unlessThrown(() => new StandardWebhook(secret).verify(body, { ...headers })),
  bigcommerce: ({ body }, headers, secret) =>
    unlessThrown(() =>
      new StandardWebhook(Buffer.from(secret).toString('base64')).verify(body, { ...headers }),
    ),
  github: ({ body }, headers, secret) => octokit.verify(secret, body, headers['X-Hub-Signature-256'] ?? ''),
  stripe: ({ body }, headers, secret) =>
    unlessThrown(() =>
      new Stripe('sk_test_unused').webhooks.constructEvent(body, headers['Stripe-Signature'] ?? '', secret),
    ),
  svix: ({ body }, headers, secret) =>
    unlessThrown(() => new (load<Svix>('svix').Webhook)(secret).verify(body, headers)),
  zoom: async ({ body }, headers, secret) => (await callRivet(body, headers, secret)) !== undefined,
  twilio: ({ body, url = '' }, headers, secret) => {
    const signature = headers['X-Twilio-Signature'] ?? '';
    const { validateRequest, validateRequestWithBody } = load<Twilio>('twilio');
    if (url.includes('bodySHA256')) return validateRequestWithBody(secret, signature, url, body);
    const form = new URLSearchParams(body);
    const values = [...new Set(form.keys())].map((name) => {
      const all = form.getAll(name);
      return [name, all.length === 1 ? all[0] : all];
    });
    return validateRequest(secret, signature, url, Object.fromEntries(values));
  },
  hubspot: ({ body, url, method }, headers, secret) =>
    load<HubSpot>('@hubspot/api-client').Signature.isValid({
      signatureVersion: 'v3',
      signature: headers['X-HubSpot-Signature-v3'],
      timestamp: Number(headers['X-HubSpot-Request-Timestamp']),
      clientSecret: secret,
      requestBody: body,
      url,
      method,
    }),
  square: ({ body, url }, headers, secret) =>
    load<Square>('square').WebhooksHelper.verifySignature({
      requestBody: body,
      signatureHeader: headers['x-square-hmacsha256-signature'],
      signatureKey: secret,
      notificationUrl: url,
    }),
  paddle: ({ body }, headers, secret) =>
    new (load<Paddle>('@paddle/paddle-node-sdk').Paddle)('unused').webhooks.isSignatureValid(
      body,
      secret,
      headers['Paddle-Signature'] ?? '',
    ),
  razorpay: ({ body }, headers, secret) =>
    load<Razorpay>('razorpay').validateWebhookSignature(body, headers['X-Razorpay-Signature'] ?? '', secret),
  linear: ({ body }, headers, secret) =>
    new (load<Linear>('@linear/sdk/webhooks').LinearWebhookClient)(secret).verify(
      Buffer.from(body),
      headers['Linear-Signature'] ?? '',
    ),
  line: ({ body }, headers, secret) =>
    load<Line>('@line/bot-sdk').validateSignature(body, secret, headers['x-line-signature'] ?? ''),
  notion: ({ body }, headers, secret) =>
    load<Notion>('@notionhq/client').verifyWebhookSignature({
      body,
      signature: headers['X-Notion-Signature'],
      verificationToken: secret,
    }),
  'coinbase-commerce': ({ body }, headers, secret) =>
    unlessThrown(() =>
      load<Coinbase>('coinbase-commerce-node').Webhook.verifyEventBody(
        body,
        headers['X-CC-Webhook-Signature'] ?? '',
        secret,
      ),
    ),
  box: ({ body }, headers, secret) => verifyBox(body, headers, secret),
  mux: async ({ body }, headers, secret) => {
    const { Mux } = load<Mux>('@mux/mux-node');
    await new Mux({ tokenId: 'unused', tokenSecret: 'unused' }).webhooks.verifySignature(
      body,
      headers,
      secret,
    );
    return true;
  },
  sanity: ({ body }, headers, secret) =>
    load<Sanity>('@sanity/webhook').isValidSignature(body, headers['sanity-webhook-signature'] ?? '', secret),
  workos: ({ body }, headers, secret) =>
    new (load<WorkOs>('@workos-inc/node').WorkOS)('sk_unused').webhooks.verifyHeader({
      payload: body,
      sigHeader: headers['WorkOS-Signature'],
      secret,
    }),
  gocardless: ({ body }, headers, secret) =>
    unlessThrown(() =>
      load<GoCardless>('./node_modules/gocardless-nodejs/cjs/webhooks.js').verifySignature(
        body,
        secret,
        headers['Webhook-Signature'] ?? '',
      ),
    ),
};

/** The providers whose libraries are installed. */
export const officialClients: readonly ProviderName[] = Object.keys(verifiers) as ProviderName[];

/** Whether the provider's own library accepts the message. */
export async function isAccepted(
  provider: ProviderName,
  message: Message,
  headers: Headers,
  secret: string,
): Promise<boolean> {
  try {
    return (await verifiers[provider]?.(message, headers, secret)) === true;
  } catch (error) {
    // A library that is not there, or that is called wrongly, must not pass for a refusal.
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof TypeError || /^(?:MODULE|ERR)_/.test(`${code}`)) throw error;
    return false;
  }
}

/** Some libraries take seconds to load, in which a message would grow too old. */
export async function loadClient(provider: ProviderName): Promise<void> {
  const moment = { id: 'msg_old', timestamp: '1700000000' };
  const message = { body: '{}', url: 'https://shop.example/', method: 'POST' };
  const secret = Buffer.alloc(32, 1).toString('base64');
  await isAccepted(provider, message, senders[provider].headers(message, secret, moment), secret);
  // Some take seconds, in which nothing else runs. Let fetch see which idle connections the signer has closed meanwhile.
  await delay(50);
}
