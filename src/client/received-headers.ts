/** Chooses which headers of a received message are passed on to the signer, beside its body. */

import { cannotBePassedOn } from '../api/foreign-headers.ts';
import type { Formats, HttpHeaders } from '../api/messages.ts';
import { providers } from '../api/providers.ts';
import { receivedNames, type WebhookScheme } from '../api/webhook-scheme.ts';

/** The signer's HTTP server accepts 8 KiB, with the names and the request line. */
const maxCharacters = 6 * 1024;
/** No webhook format accepts other values, and not every HTTP client can send them. */
const printable = /^[\t -~]*$/;

/**
 * Repeated headers are joined by commas (RFC 9110 §5.3).
 * @param format `undefined` if it is not known
 * @returns undefined if they cannot be sent, so that they are malformed for every message. To leave out one of them could
 * make the signer look for the signature in another one.
 */
export function receivedHeaders(
  headers: HttpHeaders,
  format?: keyof Formats,
): Readonly<Record<string, string>> | undefined {
  const isRead = readBy(format);
  const values = new Map<string, readonly string[]>();
  for (const [name, value = []] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (!isRead(lower)) continue;
    const all = [...(values.get(lower) ?? []), value].flat();
    if (all.length > 0) values.set(lower, all);
  }
  const joined = [...values].map(([name, each]) => [name, each.join(', ')] as const);
  const text = joined.map(([, value]) => value).join('');
  return text.length <= maxCharacters && printable.test(text) ? Object.fromEntries(joined) : undefined;
}

/** Whether a format reads the header of this name. The scheme of `webhook` is known to the signer alone. */
function readBy(format: keyof Formats = 'webhook'): (name: string) => boolean {
  if (format === 'webhook') return (name) => !cannotBePassedOn(name);
  const { [format]: scheme }: { readonly [_ in string]?: WebhookScheme } = providers;
  const names = scheme === undefined ? [] : receivedNames(scheme);
  return (name) => names.includes(name);
}
