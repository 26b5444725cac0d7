/** Parses the signatures of a request, in `Signature-Input` and `Signature` (RFC 9421 §4). */

import { type BareItem, isInnerList, serializeInnerList } from 'structured-headers';
import type { Invalid } from '../../api/messages.ts';
import { invalid } from '../../signing/verify-tag.ts';
import { fieldValues, type HttpMessage } from '../http-request.ts';
import { type Component, toComponents } from './component.ts';
import { readDictionary } from './structured-field.ts';

/** One signature with its parameters (RFC 9421 §2.3). */
export interface ReceivedSignature {
  readonly components: readonly Component[];
  /** The value of `@signature-params` as received, with any unknown parameters. */
  readonly signatureParameters: string;
  readonly tag: Uint8Array;
  readonly created: number | undefined;
  readonly expires: number | undefined;
  readonly keyid: string | undefined;
  readonly alg: string | undefined;
  readonly nonce: string | undefined;
  /** The parameter `tag`, which names the application; not to be confused with the HMAC tag. */
  readonly applicationTag: string | undefined;
}

/** Real requests have fewer. These limits bound the cost of a verification. */
const maxSignatures = 8;
const maxComponents = 32;

const unsupportedComponent =
  'the signature covers a component that the signer does not support: one with a parameter such as sf, key, bs, tr or req, one of a response, or a signature';

/** Returns the well-formed signatures, without their labels, which have no meaning (RFC 9421 §7.2.5). */
export function readSignatures(message: HttpMessage): readonly ReceivedSignature[] | Invalid {
  if (!message.fields.has('signature-input') || !message.fields.has('signature')) return invalid('missing');
  const inputs = readField(message, 'signature-input');
  const tags = readField(message, 'signature');
  if (inputs === undefined || tags === undefined || inputs.size > maxSignatures) return invalid('malformed');
  const signatures: ReceivedSignature[] = [];
  let isSupported = true;
  for (const [label, input] of inputs) {
    const [tag] = tags.get(label) ?? [];
    if (!isInnerList(input) || !(tag instanceof ArrayBuffer)) continue;
    const [items, parameters] = input;
    const components = items.length > maxComponents ? 'malformed' : toComponents(items);
    if (components === 'unsupported') isSupported = false;
    const times = [parameters.get('created'), parameters.get('expires')];
    const texts = ['keyid', 'alg', 'nonce', 'tag'].map((name) => parameters.get(name));
    if (typeof components === 'string' || !times.every(isTime) || !texts.every(isText)) continue;
    const [created, expires] = times;
    const [keyid, alg, nonce, applicationTag] = texts;
    signatures.push({
      components,
      signatureParameters: serializeInnerList(input),
      tag: new Uint8Array(tag),
      created,
      expires,
      keyid,
      alg,
      nonce,
      applicationTag,
    });
  }
  if (signatures.length > 0) return signatures;
  return isSupported ? invalid('malformed') : invalid('unsupported', unsupportedComponent);
}

function readField(message: HttpMessage, name: string): ReturnType<typeof readDictionary> {
  const values = fieldValues(message, name);
  return values && readDictionary(values.join(', '));
}

function isTime(value: BareItem | undefined): value is number | undefined {
  return value === undefined || (Number.isInteger(value) && Number(value) >= 0);
}

function isText(value: BareItem | undefined): value is string | undefined {
  return value === undefined || typeof value === 'string';
}
