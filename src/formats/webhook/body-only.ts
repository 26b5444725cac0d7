/**
 * Builds webhook formats that sign the body alone. Like `raw`, such a format signs anything, and its signatures never
 * expire.
 */

import type { BytesEncoding } from '../../api/messages.ts';
import { type WebhookName, webhookHeaders } from '../../api/webhook-headers.ts';
import { verification } from '../answers.ts';
import type { FormatDefinition } from '../definition.ts';
import { afterPrefix, defineWebhook, listItems, requests } from './engine.ts';

/** How a provider writes its signature. */
export interface BodySettings {
  /** The name of the header as the provider spells it. */
  readonly header: string;
  /** The text before the signature in the header. */
  readonly label: string;
  readonly output: BytesEncoding;
}

export function bodyFormat(name: WebhookName, { header, label, output }: BodySettings): FormatDefinition {
  return defineWebhook(name, {}, requests, verification, () => ({
    options: {},
    output,
    metadata: () => undefined,
    prefix: () => '',
    write: (_, [signature]) => ({ [header]: label + signature }),
    read: (headerValue) => {
      // A provider may use several names for one header.
      const value = webhookHeaders[name].map(headerValue).find((each) => each !== undefined);
      if (value === undefined) return 'missing';
      return {
        metadata: undefined,
        signatures: listItems(value).map((item) => afterPrefix(label, item) ?? ''),
      };
    },
    check: () => undefined,
    proof: () => ({}),
  }));
}
