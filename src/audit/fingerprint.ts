/**
 * The fingerprint of a signature: whoever has the signature finds its line, and the line tells nothing of the signature.
 */

import { hexDigest } from '../bytes/digest.ts';

/**
 * The first 16 bytes, in hex, of SHA-256 over the text of the tag. Digits of hex count as lower case, because some programs
 * show them in upper case.
 */
export function fingerprint(tag: string): string {
  const text = /^[0-9A-Fa-f]*$/.test(tag) ? tag.toLowerCase() : tag;
  return hexDigest('sha256', text).slice(0, 32);
}

/** The lengths of tags as formats write them: 20, 32, 48 or 64 bytes in hex, base64 and base64url, without padding too. */
const tagLengths = [27, 28, 40, 43, 44, 64, 86, 88, 96, 128];

/** Longer than any header, token or URL that the signer makes. */
export const maxGivenLength = 256 * 1024;

/**
 * The fingerprints that a signature may have if it stands somewhere in a text: a token, the value of a header, a cookie or a
 * URL. The text is taken as it is and percent-decoded.
 */
export function fingerprintsIn(text: string): ReadonlySet<string> {
  const candidates = new Set<string>();
  for (const form of [text, percentDecoded(text)]) {
    for (const run of form.split(/[^A-Za-z0-9+/=_-]+/)) {
      // A name may stand before the tag, and imgproxy has it between slashes.
      for (const part of [
        run,
        ...run.split('/'),
        ...suffixes(run),
        ...tagLengths.map((n) => run.slice(-n)),
      ]) {
        if (part.length >= (tagLengths[0] ?? 0)) candidates.add(part);
      }
    }
  }
  return new Set([...candidates].map(fingerprint));
}

/** What stands behind each equals sign, hyphen or underscore, as far as it can be a tag. */
function suffixes(run: string): readonly string[] {
  const [longest = 0] = tagLengths.slice(-1);
  const from = Math.max(run.length - longest - 1, 0);
  return [...run.slice(from).matchAll(/[=_-]/g)].map(({ index }) => run.slice(from + index + 1));
}

function percentDecoded(text: string): string {
  return text.replace(/%[0-9A-Fa-f]{2}/g, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)));
}
