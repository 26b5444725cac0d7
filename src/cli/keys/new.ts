/** `sidecar-signer keys new`: creates random keys, as files or as a Secret manifest. */

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { escapeControls } from '../../bytes/text.ts';
import { encodeKey } from '../../key-sets/key-encoding.ts';
import { newJwkSet } from '../../key-sets/rotation.ts';
import { defaultEncoding, type KeyEncoding } from '../../key-sets/settings.ts';
import { type Algorithm, keyId, tagBytes } from '../../signing/mac.ts';
import { CommandFailure } from '../failure.ts';
import { printResult } from '../output.ts';
import { newSecretManifest } from '../secret-manifest.ts';
import { orRotationFailure } from './key-file.ts';
import { createFile, replaceFile } from './write-file.ts';

export interface NewOptions {
  readonly algorithm: Algorithm;
  readonly encoding?: KeyEncoding;
  readonly kid?: string;
  readonly output: 'file' | 'secret';
  readonly secretName: string;
  /** Default: that of the file that is replaced, or 0600. */
  readonly mode?: number;
  readonly replace?: true;
  readonly ifMissing?: true;
  readonly json?: true;
}

type Outcome =
  | { readonly file: string; readonly made: false }
  | { readonly file: string; readonly made: true; readonly keyId: string; readonly algorithm: Algorithm };

/** @throws {CommandFailure} */
export function keysNew(files: readonly string[], options: NewOptions): void {
  if (options.output === 'secret') {
    const entries = new Map(files.map((file) => [basename(file), newKey(file, options).content]));
    if (entries.size < files.length) {
      throw new CommandFailure('two of the files have the same name, which would be one entry of the Secret');
    }
    process.stdout.write(newSecretManifest(options.secretName, entries));
  } else if (files.includes('-')) {
    if (files.length > 1) throw new CommandFailure('- prints one key; give no other file with it');
    printKey(options);
  } else writeNewKeys(files, options);
}

/** Prints one key. On a terminal, text ends with a newline, so that the prompt does not look like a part of the key. */
function printKey(options: NewOptions): void {
  const { isTTY } = process.stdout;
  if (isTTY && (options.encoding ?? defaultEncoding('-')) === 'bytes') {
    throw new CommandFailure(
      'a terminal cannot show the raw bytes of a key; redirect the output to a file, or choose a text such as --encoding=hex',
    );
  }
  const { content } = newKey('-', options);
  process.stdout.write(content);
  if (isTTY && !content.toString().endsWith('\n')) process.stdout.write('\n');
}

function writeNewKeys(files: readonly string[], options: NewOptions): void {
  const outcomes: Outcome[] = [];
  try {
    for (const file of files) {
      const outcome = writeNewKey(file, options);
      outcomes.push(outcome);
      if (!options.json) process.stdout.write(`${escapeControls(formatOutcome(outcome))}\n`);
    }
  } finally {
    // If a file cannot be written, list those that were written before.
    if (options.json) printResult(options, { keys: outcomes }, '');
  }
}

function writeNewKey(file: string, options: NewOptions): Outcome {
  if (options.ifMissing && existsSync(file)) return { file, made: false };
  const { id, content } = newKey(file, options);
  if (options.replace) replaceFile(file, content, options);
  else createFile(file, content, options.mode);
  return { file, made: true, keyId: id, algorithm: options.algorithm };
}

function formatOutcome(outcome: Outcome): string {
  if (!outcome.made) return `${outcome.file}: exists already, left unchanged`;
  return `${outcome.file}: new ${outcome.algorithm} key ${outcome.keyId}`;
}

function newKey(file: string, { algorithm, kid, encoding = defaultEncoding(file) }: NewOptions) {
  // As long as the tag: RFC 7518 §3.2 requires at least that, and RFC 2104 §3 says that more adds little strength.
  const bytes = randomBytes(tagBytes(algorithm));
  if (encoding === 'jwks') {
    const id = kid ?? keyId(bytes);
    return { id, content: orRotationFailure(file, () => Buffer.from(newJwkSet({ id, bytes, algorithm }))) };
  }
  const content = encoding === 'bytes' ? bytes : encodeKey(bytes, encoding);
  // With the encoding "text", the key is the text itself.
  return { id: keyId(encoding === 'text' ? content : bytes), content };
}
