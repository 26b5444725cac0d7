/**
 * The engine of webhook formats that sign the body alone. Such a format signs whatever it is given, like `raw`, and a
 * signature of it is valid for ever.
 */

import type { BytesEncoding } from '../../api/messages.ts';
import { defineFormat, type FormatDefinition } from '../definition.ts';
import { afterPrefix, requests, webhook } from './engine.ts';

/** What is peculiar to a provider. */
export interface BodySettings {
  /** The header in its usual spelling. */
  readonly header: string;
  /** What stands before the signature in the header. */
  readonly label: string;
  readonly output: BytesEncoding;
}

export function bodyFormat(name: string, { header, label, output }: BodySettings): FormatDefinition {
  const headerKey = header.toLowerCase();
  return defineFormat(name, {}, requests, () =>
    webhook<undefined>({
      name,
      options: {},
      output,
      metadata: () => undefined,
      prefix: () => '',
      write: (_, [signature]) => ({ [header]: label + signature }),
      read: (received) => {
        const value = received(headerKey);
        return value === undefined
          ? 'missing'
          : { metadata: undefined, signatures: [afterPrefix(label, value) ?? ''] };
      },
      check: () => undefined,
    }),
  );
}
