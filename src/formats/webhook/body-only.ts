/**
 * Builds webhook formats that sign the body alone. Like `raw`, such a format signs anything, and its signatures never
 * expire.
 */

import type { BytesEncoding } from '../../api/messages.ts';
import { verification } from '../answers.ts';
import type { FormatDefinition } from '../definition.ts';
import { afterPrefix, defineWebhook, listItems, requests, type WebhookName } from './engine.ts';

/** How a provider writes its signature. */
export interface BodySettings {
  /** The name of the header as the provider spells it. */
  readonly header: string;
  /** Another name that the provider uses, in lower case. It is read if `header` is absent. */
  readonly alias?: string;
  /** The text before the signature in the header. */
  readonly label: string;
  readonly output: BytesEncoding;
}

export function bodyFormat(
  name: WebhookName,
  { header, alias, label, output }: BodySettings,
): FormatDefinition {
  const names = [header.toLowerCase(), ...(alias === undefined ? [] : [alias])];
  return defineWebhook(name, {}, requests, verification, () => ({
    options: {},
    output,
    metadata: () => undefined,
    prefix: () => '',
    write: (_, [signature]) => ({ [header]: label + signature }),
    reads: names,
    read: (headerValue) => {
      const value = names.map(headerValue).find((each) => each !== undefined);
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
