/** The table of formats, the only place that looks up a format by its name. */

import { awsSigv4 } from './aws-sigv4/index.ts';
import { cookie } from './cookie.ts';
import type { FormatDefinition } from './definition.ts';
import { httpSignature } from './http-signature/index.ts';
import { jwt } from './jwt/index.ts';
import { raw } from './raw.ts';
import { signedUrl } from './signed-url/index.ts';
import { github, shopify, slack, standardWebhooks, stripe } from './webhook/providers.ts';

export type { FormatDefinition } from './definition.ts';

/** A key set has exactly one of these formats. */
export const formats: ReadonlyMap<string, FormatDefinition> = new Map(
  [
    raw,
    jwt,
    standardWebhooks,
    github,
    shopify,
    stripe,
    slack,
    cookie,
    httpSignature,
    awsSigv4,
    signedUrl,
  ].map((format) => [format.name, format]),
);
