/** The variable `{form}`: the pairs of a form body, as Twilio signs them. */

import { SignerError } from '../../api/errors.ts';
import { digest } from '../../bytes/digest.ts';

/** More than any provider sends, and few enough that parsing and sorting them delays nobody. */
const maxPairs = 4096;

/** In the query of the URL, if the body is no form. The URL is signed, and with it the digest. */
const digestParameter = /[?&]bodySHA256=([0-9a-fA-F]{64})(?=&|$)/;

/**
 * The names and values of a form, sorted by name and then by value, each different pair once. If the URL has the digest of
 * the body, there is no form.
 * @returns undefined if the body has another digest
 * @throws {SignerError} `message_too_large`
 */
export function formText(body: Uint8Array, url = ''): string | undefined {
  const expected = digestParameter.exec(url)?.[1];
  if (expected !== undefined) {
    return digest('sha256', body).toString('hex') === expected.toLowerCase() ? '' : undefined;
  }
  const text = Buffer.from(body).toString();
  if (countPairs(text) > maxPairs) {
    throw new SignerError('message_too_large', `a form of this scheme has at most ${maxPairs} fields`);
  }
  const pairs = [...new URLSearchParams(text)];
  const sorted = pairs.sort(([a, b], [c, d]) => compare(a, c) || compare(b, d));
  const different = sorted.filter(([name, value], at) => {
    const [before, valueBefore] = sorted[at - 1] ?? [];
    return name !== before || value !== valueBefore;
  });
  return different.flat().join('');
}

function countPairs(text: string): number {
  let pairs = 1;
  for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', at + 1)) pairs++;
  return pairs;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
