/** Writes the headers of a signed message. */

import type { MessageHeaders } from '../../api/messages.ts';
import type { Carrier } from './carriers.ts';
import type { Item } from './header-value.ts';
import type { Values } from './request.ts';
import type { Scheme } from './scheme.ts';
import { write } from './template.ts';

/** What one key contributes. */
export interface KeySignature {
  readonly keyId: string;
  readonly signature: string;
}

/** @param signatures the primary's first */
export function writeHeaders(
  { carriers }: Scheme,
  values: Values,
  signatures: readonly [KeySignature, ...KeySignature[]],
): MessageHeaders {
  const headers: Record<string, string> = {};
  for (const carrier of carriers) {
    const { names, isNumbered } = carrier;
    for (const [at, own] of isNumbered ? signatures.entries() : [[0, signatures[0]] as const]) {
      const name = names[at];
      if (name !== undefined) headers[name] = valueFor(carrier, values, isNumbered ? [own] : signatures);
    }
  }
  return headers;
}

function valueFor(
  { items, separator }: Carrier,
  values: Values,
  signatures: readonly [KeySignature, ...KeySignature[]],
): string {
  const [primary] = signatures;
  return items
    .flatMap((item) => (isPerKey(item) ? signatures : [primary]).map((own) => writeItem(item, values, own)))
    .join(separator);
}

function isPerKey({ variables }: Item): boolean {
  return variables.includes('signature') || variables.includes('keyId');
}

function writeItem({ parts }: Item, values: Values, own: KeySignature): string {
  return write(parts, (variable) =>
    variable === 'signature' || variable === 'keyId' ? own[variable] : (values[variable] ?? ''),
  );
}
