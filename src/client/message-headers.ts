/** The headers that go with a message that is the body of the request: its signature, and what else its scheme signs. */

import { isSignatureText, isTargetText, targetRule } from '../api/limits.ts';
import { signatureHeader, targetHeaders } from '../api/message-headers.ts';
import type { Formats, HttpHeaders } from '../api/messages.ts';
import { receivedHeaders } from './received-headers.ts';
import { type HeaderPairs, headersByName } from './request-json.ts';
import type { Sent } from './transport.ts';

/** What a webhook format signs beside the body and the headers, if it does. */
export interface MessageTarget {
  /** The public URL of the receiver, as the sender has it. */
  readonly url?: string | undefined;
  /** The method of the request in upper case, such as `POST`. */
  readonly method?: string | undefined;
}

/** @throws {TypeError} for a value that no header can hold */
export function headersOfTarget(
  target: MessageTarget & { readonly id?: string | undefined },
): Sent['headers'] {
  const headers: Record<string, string> = {};
  for (const name of ['url', 'method', 'id'] as const) {
    const { [name]: value } = target;
    if (value === undefined) continue;
    if (typeof value !== 'string' || !isTargetText(value)) {
      throw new TypeError(`"${name}" option must be ${targetRule}`);
    }
    headers[targetHeaders[name]] = value;
  }
  return headers;
}

/** Undefined for a signature that no header can hold, which is malformed for every message. */
export function headersOfSignature(
  received: string | HttpHeaders | HeaderPairs,
  format: keyof Formats,
): Sent['headers'] | undefined {
  if (typeof received !== 'string') return receivedHeaders(headersByName(received, 'headers'), format);
  return isSignatureText(received) ? { [signatureHeader]: received } : undefined;
}
