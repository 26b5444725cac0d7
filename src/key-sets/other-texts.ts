/** What lies between the content of a file and a key: what can stand around a secret, and how it can be encoded. */

import { bytesEncodings, decode, encode } from '../bytes/encoding.ts';
import { withoutFinalNewline } from '../bytes/text.ts';
import type { KeyEncoding } from './settings.ts';
import { latin1 } from './wrapping.ts';

/** A difference. */
export interface Difference {
  /** For machines. */
  readonly code: string;
  /** Completes the sentence "The signature matches if …". */
  readonly when: string;
  /** A whole sentence: what to do about it. */
  readonly remedy: string;
}

interface Reading {
  readonly differences: readonly Difference[];
  readonly bytes: Uint8Array;
}

interface Peeled {
  readonly text: string;
  readonly differences: readonly Difference[];
}

/** No written secret is longer. */
const maxTextBytes = 16 * 1024;
/** Of a JSON object, as many members. */
const maxMembers = 16;

interface Declared {
  readonly encoding: KeyEncoding;
  /** Whether the format refuses the text of a `whsec_` secret unless `allowUndecoded` is set. */
  readonly needsConsent: boolean;
}

/** Moves key bytes out of memory that is shared with other buffers. The original is overwritten. */
export function ownCopy(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  bytes.fill(0);
  return copy;
}

/** The readings of a file that holds text. */
export function textReadings(content: Uint8Array, declared: Declared): readonly Reading[] {
  if (content.length > maxTextBytes) return [];
  return peel(content, declared.encoding).flatMap(({ text, differences }) =>
    decodings(text, declared).map(({ bytes, difference }) => ({
      bytes,
      differences: difference === undefined ? differences : [...differences, difference],
    })),
  );
}

/** The ways in which somebody could have written these bytes, and then have taken the digits for the key. */
export function digitsOf(key: Uint8Array): readonly Reading[] {
  const bytes = Buffer.from(key);
  const written = bytesEncodings.map((encoding) => [encoding, encode(bytes, encoding)] as const);
  const hex = encode(bytes, 'hex');
  const base64 = encode(bytes, 'base64');
  bytes.fill(0);
  const reading = (what: string, text: string) => ({
    differences: [
      {
        code: 'key-encoding',
        when: `the key is written as ${what}, and these characters are taken for the key`,
        remedy: `The sender has to decode the secret, or write its ${what} into the file and set "encoding: text".`,
      },
    ],
    bytes: ownCopy(Buffer.from(text)),
  });
  return [
    ...written.map(([encoding, text]) => reading(encoding, text)),
    reading('hex in upper case', hex.toUpperCase()),
    reading('"whsec_" and base64', `whsec_${base64}`),
  ];
}

/** The text itself, and what is left of it without what tools and people put around a secret. */
function peel(content: Uint8Array, encoding: KeyEncoding): readonly Peeled[] {
  const whole = latin1(content);
  const text = latin1(withoutFinalNewline(content));
  // With the encoding bytes, the newline is a part of the key.
  const found: Peeled[] = [{ text, differences: whole !== text && encoding === 'bytes' ? [noNewline] : [] }];
  const add = (difference: Difference, inner: string) =>
    found.push({ text: inner, differences: [difference] });
  if (whole !== text) add(newline('is part of the secret'), whole);
  else add(newline('is added to the secret'), `${whole}\n`);
  const trimmed = text.trim();
  if (trimmed !== text) add(without('key-space', 'white space around the secret'), trimmed);
  if (whole.startsWith('\xef\xbb\xbf')) {
    add(without('key-wrapping', 'byte order mark in front of the secret'), trimmed.slice(3));
  }
  if (content.includes(0)) {
    const ascii = trimmed.replaceAll('\0', '').replace(/^(?:\xff\xfe|\xfe\xff)/, '');
    add(without('key-wrapping', 'NUL bytes of UTF-16 in the secret'), ascii);
  }
  const [, , quoted] = /^(["'`])(.*)\1$/s.exec(trimmed) ?? [];
  if (quoted !== undefined) add(without('key-wrapping', 'quotes around the secret'), quoted);
  const [, value] =
    /^(?:export )?[A-Za-z_][A-Za-z0-9_]*=(?:["'](?=.*["']$))?(.+?)["']?$/s.exec(trimmed) ?? [];
  if (value !== undefined) add(without('key-wrapping', 'name and the = in front of the secret'), value);
  const [, scheme] = /^(?:base64:|hex:|0x)(.+)$/is.exec(trimmed) ?? [];
  if (scheme !== undefined) add(without('key-wrapping', 'prefix in front of the secret'), scheme);
  if (/%[0-9A-Fa-f]{2}/.test(trimmed)) {
    const unescaped = trimmed.replace(/%([0-9A-Fa-f]{2})/g, (_, digits) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    );
    add(without('key-wrapping', 'URL escapes in the secret'), unescaped);
  }
  for (const member of jsonMembers(trimmed)) add(without('key-wrapping', 'JSON around the secret'), member);
  return found;
}

const noNewline: Difference = {
  code: 'key-newline',
  when: 'the newline at the end of the file is not part of the secret',
  remedy: 'Write the file without a newline at its end (echo -n), or set "encoding: text".',
};

function newline(what: string): Difference {
  return {
    code: 'key-newline',
    when: `a newline at the end ${what}`,
    remedy: 'Give both sides the secret without a newline at its end (echo -n).',
  };
}

function without(code: string, what: string): Difference {
  return {
    code,
    when: `the ${what} is left out`.replace(/(quotes|escapes|bytes)(.*) is left/, '$1$2 are left'),
    remedy: `Write only the secret into the file, without the ${what}.`,
  };
}

/** The texts of a JSON text: itself, if it is a string, or the members of an object. */
function jsonMembers(text: string): readonly string[] {
  if (!/^["{]/.test(text)) return [];
  try {
    const value: unknown = JSON.parse(text);
    const all = typeof value === 'object' && value !== null ? Object.values(value) : [value];
    return all.filter((each) => typeof each === 'string').slice(0, maxMembers);
  } catch {
    return [];
  }
}

interface Decoding {
  readonly bytes: Uint8Array;
  /** Undefined if the key set declares this decoding. */
  readonly difference: Difference | undefined;
}

function decodings(text: string, { encoding, needsConsent }: Declared): readonly Decoding[] {
  const found: Decoding[] = [];
  const add = (bytes: Uint8Array | undefined, declared: readonly KeyEncoding[], difference: Difference) => {
    if (bytes === undefined) return;
    found.push({
      bytes: ownCopy(bytes),
      difference: declared.includes(encoding) ? undefined : difference,
    });
  };
  const asText = (each: string) => Buffer.from(each, 'latin1');
  const [, rest] = /^(?:v1,)?whsec_(.*)$/s.exec(text) ?? [];
  const consent = rest !== undefined && needsConsent ? ' and "allowUndecoded: true"' : '';
  add(asText(text), ['text', 'bytes'], {
    code: 'key-encoding',
    when: 'the secret is used as text, without decoding it',
    remedy: `Set "encoding: text"${consent} for this key set.`,
  });
  for (const each of bytesEncodings) {
    add(decode(text, each), [each], {
      code: 'key-encoding',
      when: `the secret is decoded from ${each}`,
      remedy: `Set "encoding: ${each}" for this key set.`,
    });
  }
  if (/=*$/.test(text) && text.length % 4 !== 0) {
    add(decode(text.padEnd(Math.ceil(text.length / 4) * 4, '='), 'base64'), [], {
      code: 'key-encoding',
      when: 'the secret is decoded from base64, with its padding (=) completed',
      remedy:
        'Write the secret with = at its end, until its length is a multiple of 4, and set "encoding: base64".',
    });
  }
  if (rest !== undefined) {
    add(decode(rest, 'base64'), text.startsWith('whsec_') ? ['whsec'] : [], {
      code: 'key-encoding',
      when: 'what follows "whsec_" in the secret is decoded from base64',
      remedy: text.startsWith('whsec_')
        ? 'Set "encoding: whsec" for this key set.'
        : 'Write the secret from "whsec_" on into the file, and set "encoding: whsec".',
    });
    add(asText(rest), [], {
      code: 'key-prefix',
      when: 'what follows "whsec_" in the secret is used as text, without decoding it',
      remedy: 'Write only what follows "whsec_" into the file, and set "encoding: text".',
    });
  } else {
    add(asText(`whsec_${text}`), [], {
      code: 'key-prefix',
      when: '"whsec_" stands in front of the secret, and all of it is used as text',
      remedy: 'Write the secret with its prefix "whsec_" into the file, and set "encoding: text".',
    });
  }
  const inner = decode(text, 'base64');
  const twice = inner && latin1(withoutFinalNewline(inner));
  for (const each of twice === undefined ? [] : bytesEncodings) {
    add(decode(twice ?? '', each), [], {
      code: 'key-encoding',
      when: `the secret is decoded from base64, and the result once more from ${each}`,
      remedy: `Write the secret into the file as it is after decoding base64 once, and set "encoding: ${each}".`,
    });
  }
  if (inner !== undefined && inner.at(-1) === 0x0a) {
    add(withoutFinalNewline(inner), [], {
      code: 'key-newline',
      when: 'the secret is decoded from base64, and the newline at the end of the result is left out',
      remedy: 'The secret was encoded with a newline at its end: encode it anew (echo -n).',
    });
  }
  const upper = text.toUpperCase();
  for (const other of /^[0-9a-f]+$/i.test(text) ? [upper, text.toLowerCase()] : []) {
    add(asText(other), [], {
      code: 'key-encoding',
      when: `the hex digits of the secret are used as text, in ${other === upper ? 'upper' : 'lower'} case`,
      remedy: 'Write the digits in that letter case into the file, and set "encoding: text".',
    });
  }
  return found;
}
