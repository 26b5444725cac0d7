/** The table of formats: the one place that resolves a format's name. */

import { awsSigv4 } from './aws-sigv4.ts';
import { cookie } from './cookie.ts';
import type { FormatDefinition } from './definition.ts';
import { github } from './github.ts';
import { httpSignature } from './http-signature.ts';
import { jwt } from './jwt.ts';
import { raw } from './raw.ts';
import { shopify } from './shopify.ts';
import { slack } from './slack.ts';
import { standardWebhooks } from './standard-webhooks.ts';
import { stripe } from './stripe.ts';

export type { FormatDefinition, Requests } from './definition.ts';

/** Each key set has exactly one of these. */
export const formats: ReadonlyMap<string, FormatDefinition> = new Map(
  [raw, jwt, standardWebhooks, github, shopify, stripe, slack, cookie, httpSignature, awsSigv4].map(
    (format) => [format.name, format],
  ),
);
