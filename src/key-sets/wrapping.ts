/**
 * Finds out in what a secret is wrapped, when a tool or a person wrote more into the file than the secret: JSON, quotes,
 * white space, PEM. It only looks for words to say; what the key is depends on the declared encoding alone.
 */

import { isUtf8 } from 'node:buffer';
import type { BytesEncoding } from '../api/messages.ts';
import { bytesEncodings, decode } from '../bytes/encoding.ts';
import { hasByteOrderMark, withoutFinalNewline } from '../bytes/text.ts';

/** A wrapping, and what to do about it. Neither contains a part of the secret. */
interface Wrapping {
  /** Completes the sentence "the file …". */
  readonly what: string;
  readonly remedy: string;
}

/** No wrapped secret is longer, and to look at a long file would delay requests. */
const maxWrappedBytes = 16 * 1024;

const selectOne = 'write only the secret itself into the file (the tool that writes it can select one field)';

/** Warnings about a file whose text becomes the key, each of which completes the sentence "the file …". */
export function wrappingWarnings(content: Uint8Array): readonly string[] {
  if (content.length > maxWrappedBytes || !isPrintable(content)) return [];
  const wrapping = wrappingWarning(content);
  if (wrapping !== undefined) return [wrapping];
  const text = latin1(withoutFinalNewline(content));
  const encoding = bytesEncodings.find((each) => isEncodedText(text, each));
  if (encoding === undefined) return [];
  return [`is ${encoding} of a text; if that text is the key, set "encoding: ${encoding}"`];
}

/** What to say of a text in which more than the secret stands. Completes the sentence "the file …". */
export function wrappingWarning(content: Uint8Array): string | undefined {
  if (content.length > maxWrappedBytes) return undefined;
  const { what, remedy } = wrappingOf(latin1(withoutFinalNewline(content))) ?? {};
  return what && `${what}, all of which becomes part of the key; ${remedy}`;
}

/** What to say of a text that cannot be decoded, or nothing. Completes the sentence "…, because it …". */
export function whyNotDecoded(content: Uint8Array, encoding: BytesEncoding): string {
  const { what, remedy } = wrappingOfDigits(content, encoding) ?? {};
  return what === undefined ? '' : `; it ${what}: ${remedy}`;
}

function wrappingOfDigits(content: Uint8Array, encoding: BytesEncoding): Wrapping | undefined {
  if (hasByteOrderMark(content)) {
    return { what: 'begins with a byte order mark', remedy: 'save it as UTF-8 without one' };
  }
  if (content.length > maxWrappedBytes) return undefined;
  if (content.includes(0)) return { what: 'holds NUL, as UTF-16 does', remedy: 'save it as UTF-8' };
  const text = latin1(withoutFinalNewline(content));
  const wrapping = wrappingOf(text);
  if (wrapping !== undefined) return wrapping;
  if (/[\r\n]/.test(text)) return { what: 'has line breaks', remedy: 'write it in one line' };
  if (/\s/.test(text)) return { what: 'has spaces', remedy: 'write it without them' };
  if (/^(?:v1,)?whsec_/.test(text)) {
    return { what: 'is a Standard Webhooks secret (whsec_…)', remedy: 'set "encoding: whsec"' };
  }
  if (/^base64:/.test(text)) return { what: 'begins with "base64:"', remedy: 'write only what follows' };
  if (/^0x/i.test(text)) return { what: 'begins with "0x"', remedy: 'write it without' };
  if (/%[0-9A-Fa-f]{2}/.test(text))
    return { what: 'is URL-escaped', remedy: 'write the characters themselves' };
  const other = bytesEncodings.find((each) => each !== encoding && decode(text, each) !== undefined);
  return other && { what: `is ${other}`, remedy: `set "encoding: ${other}"` };
}

function wrappingOf(text: string): Wrapping | undefined {
  const trimmed = text.trim();
  if (/^-----BEGIN /.test(trimmed)) {
    return {
      what: 'is PEM (-----BEGIN …)',
      remedy: 'a shared secret is not PEM, so check that this is the right file',
    };
  }
  const json = jsonKind(trimmed);
  if (json !== undefined) {
    const remedy = json === 'a string' ? 'write it without the quotes' : selectOne;
    return { what: `is JSON (${json})`, remedy };
  }
  if (/^(["'`]).*\1$/s.test(trimmed)) return { what: 'is in quotes', remedy: 'write it without them' };
  if (/^(?:export )?[A-Z][A-Z0-9_]{2,}=[^=]/.test(trimmed)) {
    return { what: 'is a line NAME=value', remedy: 'write only the value' };
  }
  if (trimmed === text || trimmed === '') return undefined;
  if (`${trimmed}\r` === text) {
    return { what: 'ends with a carriage return', remedy: 'write it without one, as printf does' };
  }
  if (/^\S/.test(text) && /^[\r\n]+$/.test(text.slice(trimmed.length))) {
    return { what: 'ends with more than one newline', remedy: 'write it without any (echo -n)' };
  }
  return { what: 'begins or ends with white space', remedy: 'write it without' };
}

/** The kind of a JSON text that could hold a secret; undefined for any other text. */
function jsonKind(text: string): 'an object' | 'an array' | 'a string' | undefined {
  const kind = { '{': 'an object', '[': 'an array', '"': 'a string' } as const;
  const [first] = text;
  if (first !== '{' && first !== '[' && first !== '"') return undefined;
  try {
    JSON.parse(text);
    return kind[first];
  } catch {
    return undefined;
  }
}

/** Whether this is the encoded form of a printable text. By chance, random digits are that in one of a million cases. */
function isEncodedText(text: string, encoding: BytesEncoding): boolean {
  const bytes = decode(text, encoding);
  return bytes !== undefined && bytes.length >= 12 && isPrintable(bytes);
}

/** Whether this is a text file, most likely made by `echo` or an editor. */
export function isPrintable(content: Uint8Array): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
  const control = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;
  return isUtf8(content) && !control.test(latin1(content));
}

/** A character for each byte, so that no byte is taken for another. */
export function latin1({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('latin1');
}
