/** `sidecar-signer keys rotate`: makes a new key, and keeps the old one beside it in `FILE.previous`, for `alsoVerify`. */

import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import { escapeControls } from '../../bytes/text.ts';
import { readJwkSet } from '../../key-sets/jwk-set.ts';
import { decodeKey, encodeKey, isHexText } from '../../key-sets/key-encoding.ts';
import { defaultEncoding, type KeyEncoding } from '../../key-sets/settings.ts';
import { whsecPrefix } from '../../key-sets/whsec.ts';
import { isPrintable, latin1 } from '../../key-sets/wrapping.ts';
import { type Algorithm, keyId, tagBytes } from '../../signing/mac.ts';
import { CommandFailure, unwrap } from '../failure.ts';
import { isPrevious, type KeyFile, openKeyFile } from './key-file.ts';
import type { Place } from './write-file.ts';

export interface RotatePairOptions {
  readonly entry?: string;
  readonly encoding?: KeyEncoding;
  readonly algorithm?: Algorithm;
  readonly replacePrevious?: true;
  readonly json?: true;
}

/** @throws {CommandFailure} */
export function keysRotate(path: string, options: RotatePairOptions): void {
  const file = openKeyFile(path, options.entry);
  if (isPrevious(file.name)) {
    throw new CommandFailure(`${file.name} is for a previous key; name the file of the key that signs`);
  }
  const content = file.read();
  const encoding = encodingOf(content, options.encoding, file.name);
  const { bytes } = unwrap(decodeKey(content, encoding), `${file.name}: `);
  if (bytes.length === 0) {
    throw new CommandFailure(`${file.name}: is empty; create a key (sidecar-signer keys new --replace)`);
  }
  const place = placeOf(file.previous, content, options.replacePrevious ?? false);
  const previousId = keyId(bytes);
  const next = newKey(bytes, encoding, options.algorithm);
  file.rotate(next.content, place);

  const { name, previous } = file;
  const isEntry = name !== path;
  const told = {
    file: path,
    ...(isEntry && { entry: name }),
    done: 'rotate',
    keyId: next.id,
    ...(isEntry ? { previousEntry: previous.name } : { previousFile: previous.name }),
    previousKeyId: previousId,
  };
  const text = `${name}: new key ${next.id}, which signs
${previous.name}: old key ${previousId}, which verifies with "alsoVerify: [${basename(previous.name)}]"`;
  // With "-", the manifest goes to standard output.
  const output = options.json && path !== '-' ? process.stdout : process.stderr;
  const lines = options.json ? [JSON.stringify(told)] : text.split('\n');
  for (const line of lines) output.write(`${escapeControls(line)}\n`);
}

/** A wrong encoding would write a key that the signer refuses, so that a text is never taken for bytes by default. */
function encodingOf(
  content: Uint8Array,
  declared: KeyEncoding | undefined,
  name: string,
): Exclude<KeyEncoding, 'jwks'> {
  const encoding = declared ?? defaultEncoding(name);
  if (encoding === 'jwks' || readJwkSet(content).ok) {
    throw new CommandFailure(
      `${name} is a JWK set, which holds the old keys itself; use "keys add", then "keys promote", later "keys remove"`,
    );
  }
  if ((encoding === 'base64' || encoding === 'base64url') && isHexText(content)) {
    throw new CommandFailure(`${name} holds hex; give --encoding=hex, and check it in the configuration`);
  }
  if (declared !== undefined || content.length === 0 || !isPrintable(content)) return encoding;
  const likely = latin1(content).startsWith(whsecPrefix) ? 'whsec' : 'hex';
  throw new CommandFailure(
    `${name} holds text; say with --encoding how the key is written, as the configuration does (for example --encoding=${likely})`,
  );
}

/** @throws {CommandFailure} if another key is there */
function placeOf({ name, read }: KeyFile['previous'], content: Uint8Array, mayReplace: boolean): Place {
  const found = read();
  if (found === undefined) return 'free';
  // An earlier rotation was stopped after its first step.
  if (Buffer.compare(found, content) === 0) return 'same';
  if (found.length === 0 || mayReplace) return 'replaceable';
  throw new CommandFailure(
    `${name} holds the key before this one; what it has signed ends if it is replaced, which --replace-previous allows`,
  );
}

/** By default as long as the old key, because other readers of the file may require that. */
function newKey(
  old: Uint8Array,
  encoding: Exclude<KeyEncoding, 'jwks'>,
  algorithm: Algorithm | undefined,
): { readonly id: string; readonly content: Uint8Array } {
  // A text has two digits for each random byte.
  const usual = encoding === 'text' ? Math.ceil(old.length / 2) : old.length;
  const length = algorithm === undefined ? Math.max(usual, tagBytes('HS256')) : tagBytes(algorithm);
  const bytes = randomBytes(length);
  const content = encoding === 'bytes' ? bytes : encodeKey(bytes, encoding);
  return { id: keyId(encoding === 'text' ? content : bytes), content };
}
