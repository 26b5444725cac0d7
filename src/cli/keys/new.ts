/** `sidecar-signer keys new`: a random key, into a file or into a Secret manifest. */

import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import { encodeKey } from '../../keys/encode.ts';
import { newJwkSet } from '../../keys/rotation.ts';
import { defaultEncoding, type KeyEncoding } from '../../keys/settings.ts';
import { type Algorithm, keyId, tagBytes } from '../../mac.ts';
import { createFile, replaceFile, secretManifest } from './target.ts';

export interface NewOptions {
  readonly algorithm: Algorithm;
  readonly encoding?: KeyEncoding;
  readonly kid?: string;
  readonly output: 'file' | 'secret';
  readonly secretName: string;
  readonly replace?: true;
}

export function keysNew(file: string, options: NewOptions): void {
  const { algorithm, encoding = defaultEncoding(file), output, secretName, replace } = options;
  // As long as the tag: RFC 7518 §3.2 asks for no less, and RFC 2104 §3 finds no strength in more.
  const bytes = randomBytes(tagBytes(algorithm));
  const id = encoding === 'jwks' ? (options.kid ?? keyId(bytes)) : keyId(bytes);
  const content = contentOf(bytes, encoding, id, algorithm);
  if (output === 'secret') {
    process.stdout.write(secretManifest(secretName, basename(file), content));
  } else if (file === '-') process.stdout.write(content);
  else {
    (replace ? replaceFile : createFile)(file, content);
    process.stdout.write(`${file}: new ${algorithm} key ${id}\n`);
  }
}

/** The content of a key file in this encoding, without a newline where one would count. */
function contentOf(bytes: Buffer, encoding: KeyEncoding, id: string, algorithm: Algorithm): Buffer {
  if (encoding === 'bytes') return bytes;
  if (encoding === 'jwks') return Buffer.from(newJwkSet({ id, bytes, algorithm }));
  return encodeKey(bytes, encoding);
}
