/** `sidecar-signer keys add | promote | remove`: the steps of rotating a JWK set, in a file or in a Secret manifest. */

import { randomBytes } from 'node:crypto';
import { escapeControls } from '../../bytes/text.ts';
import { addKey, primaryOf, promoteKey, removeKey } from '../../key-sets/rotation.ts';
import { type Algorithm, keyId, tagBytes } from '../../signing/mac.ts';
import { openKeyFile, orRotationFailure } from './key-file.ts';

export interface RotateOptions {
  readonly entry?: string;
  readonly json?: true;
}

export interface AddOptions extends RotateOptions {
  readonly algorithm?: Algorithm;
  readonly kid?: string;
}

export function keysAdd(file: string, options: AddOptions): void {
  rotate(file, options, (content) => {
    const key = newKey(content, options.algorithm);
    const id = options.kid ?? keyId(key.bytes);
    return { content: addKey(content, { id, ...key }), done: 'add', id, text: `added ${id}, which verifies` };
  });
}

/**
 * By default, the new key has the primary's algorithm and length, because other readers of the set may require that.
 */
function newKey(content: Uint8Array, wanted: Algorithm | undefined) {
  if (wanted !== undefined) return { bytes: randomBytes(tagBytes(wanted)), algorithm: wanted };
  const { algorithm, length } = primaryOf(content);
  return { bytes: randomBytes(Math.max(length, tagBytes(algorithm ?? 'HS256'))), algorithm };
}

export function keysPromote(file: string, id: string, options: RotateOptions): void {
  const told = { done: 'promote', id, text: `${id} is the primary, which signs` } as const;
  rotate(file, options, (content) => ({ content: promoteKey(content, id), ...told }));
}

export function keysRemove(file: string, id: string, options: RotateOptions): void {
  const told = { done: 'remove', id, text: `removed ${id}` } as const;
  rotate(file, options, (content) => ({ content: removeKey(content, id), ...told }));
}

interface Step {
  /** The new content of the JWK set. */
  readonly content: string;
  readonly done: 'add' | 'promote' | 'remove';
  /** The id of the key that was added, promoted or removed. */
  readonly id: string;
  readonly text: string;
}

function rotate(path: string, { entry, json }: RotateOptions, step: (content: Uint8Array) => Step): void {
  const file = openKeyFile(path, entry);
  orRotationFailure(file.name, () => {
    const { content, done, id, text } = step(file.read());
    const next = Buffer.from(content);
    file.write(next);
    const ofEntry = file.name === path ? {} : { entry: file.name };
    const told = { file: path, ...ofEntry, done, keyId: id, primary: primaryOf(next).id };
    // With "-", the manifest goes to standard output.
    const output = json && path !== '-' ? process.stdout : process.stderr;
    output.write(`${escapeControls(json ? JSON.stringify(told) : `${file.name}: ${text}`)}\n`);
  });
}
