/**
 * The format `raw`: the tag over exactly the caller's bytes, as text. It signs whatever it is given, so a key set of
 * this format must not share its key with anything else.
 */

import { type BytesEncoding, decode, encode } from '../encoding.ts';
import { type Algorithm, equalTags } from '../mac.ts';
import type { Format } from './format.ts';

export interface RawSettings {
  /** How the tag is written as text. */
  readonly output: BytesEncoding;
}

export interface RawSignature {
  readonly signature: string;
  readonly keyId: string;
  readonly algorithm: Algorithm;
}

const malformed = { valid: false, reason: 'malformed' } as const;

export const raw: Format<RawSettings, RawSignature, RawSettings & { readonly signature: string }> = {
  sign: ({ id, mac }, { output }) => {
    const stream = mac.start();
    return {
      update: (part) => {
        stream.update(part);
      },
      finish: () => ({ signature: encode(stream.digest(), output), keyId: id, algorithm: mac.algorithm }),
    };
  },

  verify: (keys, { signature, output }) => {
    const streams = keys.map(({ mac }) => mac.start());
    return {
      update: (part) => {
        for (const stream of streams) stream.update(part);
      },
      finish: () => {
        // Every tag is computed and compared, whichever matches, so that the time does not tell which it was.
        const tags = streams.map((stream) => stream.digest());
        const given = decode(signature, output);
        if (given === undefined || tags.some((tag) => tag.length !== given.length)) return malformed;
        // One text for each tag: what does not encode back to itself (upper case hex) is refused.
        if (encode(Buffer.from(given), output) !== signature) return malformed;
        const matches = tags.map((tag) => equalTags(tag, given));
        const index = matches.indexOf(true);
        const key = keys[index];
        if (key !== undefined) return { valid: true, keyId: key.id, primary: index === 0 };
        return { valid: false, reason: 'mismatch' };
      },
    };
  },
};
