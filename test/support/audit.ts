/** A signer that keeps an audit, and an independent reader of what it has written. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeVolume } from './atomic-writer.ts';
import { type Signer, type StartOptions, startSigner, temporaryDirectory } from './signer.ts';

export interface AuditLine {
  readonly audit: 1;
  readonly time: string;
  readonly seq: number;
  readonly instance: string;
  readonly caller?: string;
  readonly keySet?: string;
  readonly keyId?: string;
  readonly format?: string;
  readonly operation?: string;
  readonly outcome: string;
  readonly tenant?: string;
  readonly reference?: string;
  readonly count?: number;
  readonly about?: Readonly<Record<string, unknown>>;
  readonly signature?: string;
  readonly prev: string;
}

/** A directory with keys, a configuration and room for audits. */
export interface Place extends Disposable {
  readonly path: string;
  /** Where the audit is, unless a test names another path. */
  readonly file: string;
  /** The flags of `serve`. */
  readonly args: readonly string[];
  start(more?: readonly string[], options?: StartOptions): Promise<Signer>;
}

export function createPlace(files: Readonly<Record<string, string | Uint8Array>>, keySets: object): Place {
  const directory = temporaryDirectory();
  const { path } = directory;
  writeVolume(join(path, 'keys'), files);
  writeVolume(join(path, 'config'), { 'signer.yaml': JSON.stringify({ keys: keySets }) });
  const file = join(path, 'audit.log');
  const args = ['--keys', join(path, 'keys'), '--config', join(path, 'config/signer.yaml'), '--audit', file];
  return {
    path,
    file,
    args,
    start: async (more = [], options) => {
      const signer = await startSigner([...args, ...more], {}, options);
      await signer.ready();
      return signer;
    },
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

export function linesIn(text: string): readonly AuditLine[] {
  const lines = text.split('\n').filter((line) => line.startsWith('{"audit":1,'));
  return lines.map((line) => JSON.parse(line));
}

export function auditIn(file: string): readonly AuditLine[] {
  return linesIn(readFileSync(file, 'utf8'));
}

/** What the audit says of a signature, computed from its definition. */
export function fingerprintOf(tag: string): string {
  return createHash('sha256').update(tag).digest('hex').slice(0, 32);
}
