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
    if (!isNumbered) headers[names[0]] = valueFor(carrier, values, signatures);
    else {
      for (const [at, own] of signatures.entries()) {
        const name = names[at];
        if (name !== undefined) headers[name] = valueFor(carrier, values, [own]);
      }
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
  let text = '';
  for (const item of items) {
    for (const own of isPerKey(item) ? signatures : [primary]) {
      text += (text === '' ? '' : separator) + writeItem(item, values, own);
    }
  }
  return text;
}

function isPerKey({ variables }: Item): boolean {
  return variables.includes('signature') || variables.includes('keyId');
}

function writeItem({ parts }: Item, values: Values, own: KeySignature): string {
  return write(parts, (variable) =>
    variable === 'signature' || variable === 'keyId' ? own[variable] : (values[variable] ?? ''),
  );
}
