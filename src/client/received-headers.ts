/** Chooses which headers of a received request are passed on to the signer, beside the body as the message. */

import { isForeignHeader } from '../api/foreign-headers.ts';
import type { HttpHeaders } from '../api/messages.ts';

/**
 * These belong to the connection, to the body as it was sent, or to the receiver's own users. No webhook format reads any
 * of them.
 */
const notPassedOn =
  /^(?:authorization|connection|cookie|expect|host|keep-alive|te|trailer|transfer-encoding|upgrade|(?:content|proxy|sec)-.*)$/;

/** A field name (RFC 9110 §5.1). The pseudo-headers of HTTP/2 are none. */
const fieldName = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
/** Other values cannot be sent by every HTTP client, and no webhook format accepts them. */
const printable = /^[\t -~]*$/;

/** Repeated headers are joined by commas (RFC 9110 §5.3). */
export function receivedHeaders(headers: HttpHeaders): Readonly<Record<string, string>> {
  const values = new Map<string, readonly string[]>();
  for (const [name, value = []] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (!fieldName.test(lower) || notPassedOn.test(lower) || isForeignHeader(lower)) continue;
    const all = [...(values.get(lower) ?? []), value].flat();
    if (all.length > 0) values.set(lower, all);
  }
  const joined = [...values].map(([name, each]) => [name, each.join(', ')] as const);
  return Object.fromEntries(joined.filter(([, value]) => printable.test(value)));
}
