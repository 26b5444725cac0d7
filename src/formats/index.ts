/** The table of formats: the one place that resolves a format's name. */

import { awsSigv4 } from './aws-sigv4/index.ts';
import { cookie } from './cookie.ts';
import type { FormatDefinition } from './definition.ts';
import { httpSignature } from './http-signature/index.ts';
import { jwt } from './jwt/index.ts';
import { raw } from './raw.ts';
import { github } from './webhook/github.ts';
import { shopify } from './webhook/shopify.ts';
import { slack } from './webhook/slack.ts';
import { standardWebhooks } from './webhook/standard-webhooks.ts';
import { stripe } from './webhook/stripe.ts';

export type { FormatDefinition, Requests } from './definition.ts';

/** Each key set has exactly one of these. */
export const formats: ReadonlyMap<string, FormatDefinition> = new Map(
  [raw, jwt, standardWebhooks, github, shopify, stripe, slack, cookie, httpSignature, awsSigv4].map(
    (format) => [format.name, format],
  ),
);
