/** Strict reading of text files and JSON: UTF-8 without a byte order mark, and at most one newline at the end. */

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Of UTF-8, UTF-16LE and UTF-16BE. */
const byteOrderMarks = [Buffer.of(0xef, 0xbb, 0xbf), Buffer.of(0xff, 0xfe), Buffer.of(0xfe, 0xff)];

/** Decodes UTF-8; returns undefined for invalid bytes. A byte order mark stays in the text, where no parser accepts it. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Whether a file begins with the byte order mark of UTF-8 or UTF-16. */
export function hasByteOrderMark(bytes: Uint8Array): boolean {
  return byteOrderMarks.some((mark) => mark.every((byte, index) => bytes[index] === byte));
}

/** The same memory without one final `\n` or `\r\n`, which editors and `echo` append. */
export function withoutFinalNewline(bytes: Uint8Array): Uint8Array {
  if (bytes.at(-1) !== 0x0a) return bytes;
  return bytes.subarray(0, bytes.at(-2) === 0x0d ? -2 : -1);
}

/**
 * Writes control and format characters as `\\u001b`. Names of files may hold anything, and a terminal would obey an
 * escape sequence, show a newline as another line, or show letters in another order (Unicode's bidirectional controls).
 * JSON stays the same JSON, because it has such characters in strings only.
 */
export function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (found) =>
    found.split('').reduce((all, unit) => all + escapeUnit(unit), ''),
  );
}

/** A code unit of UTF-16. JSON writes a character beyond U+FFFF as two. */
function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
