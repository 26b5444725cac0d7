/**
 * Builds webhook formats that sign the body alone. Like `raw`, such a format signs anything, and its signatures never
 * expire.
 */

import type { BytesEncoding } from '../../api/messages.ts';
import type { FormatDefinition } from '../definition.ts';
import { afterPrefix, defineWebhook, requests, type WebhookName } from './engine.ts';

/** How a provider writes its signature. */
export interface BodySettings {
  /** The name of the header as the provider spells it. */
  readonly header: string;
  /** The text before the signature in the header. */
  readonly label: string;
  readonly output: BytesEncoding;
}

export function bodyFormat(name: WebhookName, { header, label, output }: BodySettings): FormatDefinition {
  const lowerCaseHeader = header.toLowerCase();
  return defineWebhook(name, {}, requests, () => ({
    options: {},
    output,
    metadata: () => undefined,
    prefix: () => '',
    write: (_, [signature]) => ({ [header]: label + signature }),
    read: (headerValue) => {
      const value = headerValue(lowerCaseHeader);
      return value === undefined
        ? 'missing'
        : { metadata: undefined, signatures: [afterPrefix(label, value) ?? ''] };
    },
    check: () => undefined,
  }));
}
