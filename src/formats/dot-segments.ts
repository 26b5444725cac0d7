/**
 * Dot segments that only some servers see. A server that decodes a path twice, cuts `;` parameters off its segments, or
 * drops control characters takes `/public/..;/private` for `/private`.
 */

/** More rounds than any chain of servers decodes. The limit bounds the cost of the check. */
const maxRounds = 8;

/** Two dots as a segment that also ends at `;`, `?`, `#`, a space or a control character. */
const parentSegment = /[/\\][\p{Cc} ]*\.\p{Cc}*\.(?:$|[/\\;?#\p{Cc} ])/u;

/** Whether some server could take the path for one outside of its first segments. The path has no plain dot segments. */
export function mayLeave(path: string): boolean {
  if (!/[%;]/.test(path)) return false;
  let bytes = path;
  for (let round = 0; round < maxRounds; round++) {
    const decoded = decodeOnce(bytes);
    if (decoded === bytes) {
      // NFKC, because some servers take full-width dots and slashes for ASCII. It would sort marks, in quadratic time.
      const text = Buffer.from(bytes, 'latin1').toString().replace(/\p{M}/gu, '').normalize('NFKC');
      return parentSegment.test(text);
    }
    bytes = decoded;
  }
  return true;
}

/** Decodes percent-encoding and overlong UTF-8 (RFC 3629 §10), such as C0 AE for a dot. Each character is a byte. */
function decodeOnce(bytes: string): string {
  return bytes
    .replace(/%([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
    .replace(/[\xc0\xc1][\x80-\xbf]/g, (pair) =>
      String.fromCharCode(((pair.charCodeAt(0) & 1) << 6) | (pair.charCodeAt(1) & 0x3f)),
    );
}
