/** The variable `{form}`: the pairs of a form body, as Twilio signs them. */

import { digest } from '../../bytes/digest.ts';

/** In the query of the URL, if the body is no form. The URL is signed, and with it the digest. */
const digestParameter = /[?&]bodySHA256=([0-9a-fA-F]{64})(?=&|$)/;

/**
 * The names and values of a form, sorted by name and then by value, each different pair once. If the URL has the digest of
 * the body, there is no form.
 * @returns undefined if the body has another digest
 */
export function formText(body: Uint8Array, url = ''): string | undefined {
  const expected = digestParameter.exec(url)?.[1];
  if (expected !== undefined) {
    return digest('sha256', body).toString('hex') === expected.toLowerCase() ? '' : undefined;
  }
  const pairs = [...new URLSearchParams(Buffer.from(body).toString())];
  const sorted = pairs.sort(([a, b], [c, d]) => compare(a, c) || compare(b, d));
  const different = sorted.filter(([name, value], at) => {
    const [before, valueBefore] = sorted[at - 1] ?? [];
    return name !== before || value !== valueBefore;
  });
  return different.flat().join('');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
