/** `sidecar-signer keys new`: random keys, into files or a Secret manifest. */

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { encodeKey } from '../../key-sets/key-file.ts';
import { type NewKey, newJwkSet, RotationError } from '../../key-sets/rotation.ts';
import { defaultEncoding, type KeyEncoding } from '../../key-sets/settings.ts';
import { type Algorithm, keyId, tagBytes } from '../../signing/mac.ts';
import { newSecretManifest } from '../secret-manifest.ts';
import { SettingError } from '../setting-error.ts';
import { createFile, replaceFile } from './target.ts';

export interface NewOptions {
  readonly algorithm: Algorithm;
  readonly encoding?: KeyEncoding;
  readonly kid?: string;
  readonly output: 'file' | 'secret';
  readonly secretName: string;
  /** Default: that of the file that is replaced, else that its owner alone may read it. */
  readonly mode?: number;
  readonly replace?: true;
  readonly ifMissing?: true;
  readonly json?: true;
}

/** What has come of a file. */
type Outcome =
  | { readonly file: string; readonly made: false }
  | { readonly file: string; readonly made: true; readonly keyId: string; readonly algorithm: Algorithm };

/** @throws {SettingError} */
export function keysNew(files: readonly string[], options: NewOptions): void {
  const { output, secretName } = options;
  if (output === 'secret') {
    const entries = new Map(files.map((file) => [basename(file), newKey(file, options).content]));
    if (entries.size < files.length)
      throw new SettingError('two of the files have one name; a Secret has it once');
    process.stdout.write(newSecretManifest(secretName, entries));
  } else if (files.includes('-')) {
    if (files.length > 1) throw new SettingError('- prints one key; name it alone');
    process.stdout.write(newKey('-', options).content);
  } else writeNewKeys(files, options);
}

function writeNewKeys(files: readonly string[], options: NewOptions): void {
  const outcomes: Outcome[] = [];
  try {
    for (const file of files) {
      const outcome = writeNewKey(file, options);
      outcomes.push(outcome);
      if (!options.json) process.stdout.write(`${describe(outcome)}\n`);
    }
  } finally {
    // Also of those that were made before one could not be.
    if (options.json) process.stdout.write(`${JSON.stringify({ keys: outcomes })}\n`);
  }
}

function writeNewKey(file: string, options: NewOptions): Outcome {
  if (options.ifMissing && existsSync(file)) return { file, made: false };
  const { id, content } = newKey(file, options);
  (options.replace ? replaceFile : createFile)(file, content, options.mode);
  return { file, made: true, keyId: id, algorithm: options.algorithm };
}

function describe(outcome: Outcome): string {
  if (!outcome.made) return `${outcome.file}: there already`;
  return `${outcome.file}: new ${outcome.algorithm} key ${outcome.keyId}`;
}

function newKey(file: string, { algorithm, kid, encoding = defaultEncoding(file) }: NewOptions) {
  // As long as the tag: RFC 7518 §3.2 asks for no less, and RFC 2104 §3 finds no strength in more.
  const bytes = randomBytes(tagBytes(algorithm));
  if (encoding === 'jwks') {
    const id = kid ?? keyId(bytes);
    return { id, content: jwkSet(file, { id, bytes, algorithm }) };
  }
  const content = encoding === 'bytes' ? bytes : encodeKey(bytes, encoding);
  // The text is the key itself, not a way to write it.
  return { id: keyId(encoding === 'text' ? content : bytes), content };
}

function jwkSet(file: string, key: NewKey): Buffer {
  try {
    return Buffer.from(newJwkSet(key));
  } catch (error) {
    if (error instanceof RotationError) throw new SettingError(`${file}: ${error.message}`);
    throw error;
  }
}
