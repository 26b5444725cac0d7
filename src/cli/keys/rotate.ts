/** `sidecar-signer keys add | promote | remove`: the steps of rotating a JWK set, in a file or in a Secret manifest. */

import { randomBytes } from 'node:crypto';
import { addKey, primaryOf, promoteKey, RotationError, removeKey } from '../../key-sets/rotation.ts';
import { type Algorithm, keyId, tagBytes } from '../../signing/mac.ts';
import { SettingError } from '../setting-error.ts';
import { openTarget } from './target.ts';

export interface TargetOptions {
  readonly entry?: string;
  readonly json?: true;
}

export function keysAdd(
  file: string,
  { algorithm, kid, ...options }: TargetOptions & { algorithm?: Algorithm; kid?: string },
): void {
  step(file, options, (content) => {
    const key = newKey(content, algorithm);
    const id = kid ?? keyId(key.bytes);
    return { content: addKey(content, { id, ...key }), done: 'add', id, text: `added ${id}, which verifies` };
  });
}

/** Without another wish, for what the primary is for and no shorter: the set's readers expect no less. */
function newKey(content: Uint8Array, wanted: Algorithm | undefined) {
  if (wanted !== undefined) return { bytes: randomBytes(tagBytes(wanted)), algorithm: wanted };
  const { algorithm, length } = primaryOf(content);
  return { bytes: randomBytes(Math.max(length, tagBytes(algorithm ?? 'HS256'))), algorithm };
}

export function keysPromote(file: string, id: string, options: TargetOptions): void {
  const told = { done: 'promote', id, text: `${id} is the primary, which signs` } as const;
  step(file, options, (content) => ({ content: promoteKey(content, id), ...told }));
}

export function keysRemove(file: string, id: string, options: TargetOptions): void {
  const told = { done: 'remove', id, text: `removed ${id}` } as const;
  step(file, options, (content) => ({ content: removeKey(content, id), ...told }));
}

/** The set's next content, and what to tell of it. */
interface Change {
  readonly content: string;
  readonly done: 'add' | 'promote' | 'remove';
  /** Of the key that was added, promoted or removed. */
  readonly id: string;
  readonly text: string;
}

function step(file: string, { entry, json }: TargetOptions, change: (content: Uint8Array) => Change): void {
  const target = openTarget(file, entry);
  try {
    const { content, done, id: keyId, text } = change(target.read());
    const next = Buffer.from(content);
    target.write(next);
    const ofEntry = target.name === file ? {} : { entry: target.name };
    const told = { file, ...ofEntry, done, keyId, primary: primaryOf(next).id };
    // Standard output may be the manifest.
    const output = json && file !== '-' ? process.stdout : process.stderr;
    output.write(json ? `${JSON.stringify(told)}\n` : `${target.name}: ${text}\n`);
  } catch (error) {
    if (error instanceof RotationError) throw new SettingError(`${target.name}: ${error.message}`);
    throw error;
  }
}
