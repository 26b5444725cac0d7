/** `sidecar-signer keys new`: a random key, into a file or into a Secret manifest. The one command that prints a key. */

import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
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
  const content = encodeKey(bytes, encoding, id, algorithm);
  if (output === 'secret') {
    process.stdout.write(secretManifest(secretName, basename(file), content));
  } else if (file === '-') process.stdout.write(content);
  else {
    (replace ? replaceFile : createFile)(file, content);
    process.stdout.write(`${file}: new ${algorithm} key ${id}\n`);
  }
}

/** The content of a key file in this encoding, without a newline where one would count. */
export function encodeKey(bytes: Buffer, encoding: KeyEncoding, id: string, algorithm: Algorithm): Buffer {
  switch (encoding) {
    case 'bytes':
      return bytes;
    case 'text':
      return Buffer.from(bytes.toString('base64url'));
    case 'hex':
    case 'base64':
    case 'base64url':
      return Buffer.from(bytes.toString(encoding));
    case 'whsec':
      return Buffer.from(`whsec_${bytes.toString('base64')}`);
    case 'jwks':
      return Buffer.from(newJwkSet({ id, bytes, algorithm }));
  }
}
