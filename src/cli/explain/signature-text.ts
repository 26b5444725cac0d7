/** Decodes the text of a received signature, also where it is not written as the scheme says. */

import type { BytesEncoding } from '../../api/messages.ts';
import { bytesEncodings, decode } from '../../bytes/encoding.ts';
import type { Scheme } from '../../formats/webhook/scheme.ts';
import { tagBytes } from '../../signing/mac.ts';
import type { Difference } from './difference.ts';

/** A tag as it was received. */
export interface ReceivedTag {
  readonly bytes: Uint8Array;
  readonly differences: readonly Difference[];
}

/** HMAC with SHA-1, and with SHA-2. */
const tagLengths: readonly number[] = [20, 32, 48, 64];
/** RFC 2104 §5: a shorter tag is no proof. */
const leastBytes = 10;
const maxCharacters = 1024;

interface Text {
  readonly text: string;
  readonly differences: readonly Difference[];
}

export function decodeSignature(text: string, scheme: Scheme): readonly ReceivedTag[] {
  const wanted = tagBytes(scheme.algorithm);
  const found = writings(text.slice(0, maxCharacters)).flatMap((each) => decodeText(each, scheme.output));
  const exact = found.filter(({ bytes }) => bytes.length === wanted);
  if (exact.length > 0) return exact;
  const usual = found.filter(({ bytes }) => tagLengths.includes(bytes.length));
  return usual.length > 0
    ? usual
    : found.filter(({ bytes }) => bytes.length >= leastBytes && bytes.length <= 64);
}

/** The text, and the same without what does not belong to it. */
function writings(text: string): readonly Text[] {
  const found: Text[] = [{ text, differences: [] }];
  const add = (other: string, code: string, when: string, remedy: string) => {
    if (other !== text && other !== '') found.push({ text: other, differences: [{ code, when, remedy }] });
  };
  const whole = 'Read the header as it was received, and pass it on unchanged.';
  add(text.replace(/\s+/g, ''), 'signature-space', 'the white space within the signature is left out', whole);
  add(
    text.replace(/^["'<]+|["'>]+$/g, ''),
    'signature-quotes',
    'the quotes around the signature are left out',
    whole,
  );
  add(text.replaceAll(' ', '+'), 'signature-escaped', 'each space in the signature is a + again', whole);
  add(
    text.replace(/^(?:[A-Za-z0-9_-]{1,16}=(?=.)|v\d,)/, ''),
    'signature-prefix',
    'what stands in front of the signature is left out',
    'Pass the header on as the provider writes it, or choose the format of the sender.',
  );
  const unescaped = text.replace(/%(2[BFbf]|3[Dd])/g, (_, digits) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  add(unescaped, 'signature-escaped', 'the URL escapes in the signature are decoded', whole);
  return found;
}

function decodeText({ text, differences }: Text, output: BytesEncoding): readonly ReceivedTag[] {
  const found: ReceivedTag[] = [];
  const add = (bytes: Uint8Array | undefined, ...more: readonly Difference[]) => {
    if (bytes !== undefined) found.push({ bytes, differences: [...differences, ...more] });
  };
  for (const encoding of bytesEncodings) {
    const isHex = /^(?:[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})$/i.test(text);
    // Hex digits are base64 digits as well.
    if (isHex && encoding !== 'hex' && output !== encoding) continue;
    const changed = encoding === output ? [] : [written(encoding, output)];
    const bytes = decode(text, encoding);
    if (encoding === 'hex' && /[A-F]/.test(text)) add(bytes, ...changed, upperCase);
    else add(bytes, ...changed);
    const inner = bytes && decode(Buffer.from(bytes).toString('latin1'), 'hex');
    if (inner !== undefined && inner.length >= leastBytes) add(inner, twice(encoding));
  }
  const unpadded = text.replace(/=+$/, '');
  const padded = unpadded.padEnd(Math.ceil(unpadded.length / 4) * 4, '=');
  if (padded !== text)
    add(decode(padded, 'base64'), ...(output === 'base64' ? [] : [written('base64', output)]), padding);
  if (unpadded !== text) {
    add(
      decode(unpadded, 'base64url'),
      ...(output === 'base64url' ? [] : [written('base64url', output)]),
      padding,
    );
  }
  return found;
}

const upperCase: Difference = {
  code: 'signature-case',
  when: 'its hex digits in upper case are accepted',
  remedy: 'The sender, or whoever passed the header on, has to write the hex digits in lower case.',
};

const padding: Difference = {
  code: 'signature-padding',
  when: 'the padding (=) of the signature is corrected',
  remedy: 'Pass the header on as it was received, with = at its end where base64 has it.',
};

function written(encoding: BytesEncoding, output: BytesEncoding): Difference {
  return {
    code: 'signature-encoding',
    when: `it is read as ${encoding}, and not as ${output}`,
    remedy: `The sender writes signatures as ${encoding}: set "output: ${encoding}" where the format has that option ("raw", and "webhook" under its own name), or choose the format of the sender.`,
  };
}

function twice(encoding: BytesEncoding): Difference {
  return {
    code: 'signature-encoding',
    when: `it is read as ${encoding} of hex digits`,
    remedy: `The sender writes the signature as hex, and that as ${encoding}: it has to write the bytes of the tag as one of the two.`,
  };
}
