/** What the `keys` commands read and write: a key file, or an entry of a Kubernetes Secret manifest, comments kept. */

import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Document, parseAllDocuments, stringify } from 'yaml';
import { SettingError } from '../../config/setting-error.ts';
import { decode } from '../../encoding.ts';

/** The mode of a file that holds a key, where nothing else was asked for. */
const ownerOnly = 0o600;

export interface Target {
  readonly path: string;
  /** What holds the key: the file's name, or the manifest's entry. */
  readonly name: string;
  read(): Uint8Array;
  /** Replaces the content as a whole, so that no reader sees a half. */
  write(content: Uint8Array): void;
}

/**
 * @param path a key file, a manifest (`*.yaml`, `*.yml`), or `-` for a manifest from standard input to standard output
 * @throws {SettingError}
 */
export function openTarget(path: string, entry: string | undefined): Target {
  if (path === '-' || /\.ya?ml$/.test(path)) return openManifest(path, entry);
  if (entry !== undefined) throw new SettingError(`--entry is for a Secret manifest, and ${path} is none`);
  const write = (content: Uint8Array) => replaceFile(path, content, ownerOnly);
  return { path, name: path, read: () => readBytes(path), write };
}

/** A manifest of a new Secret with these entries. */
export function secretManifest(secretName: string, entries: ReadonlyMap<string, Uint8Array>): string {
  const base64 = (content: Uint8Array) => Buffer.from(content).toString('base64');
  return stringify({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: secretName },
    type: 'Opaque',
    data: Object.fromEntries([...entries].map(([name, content]) => [name, base64(content)])),
  });
}

/** @throws {SettingError} when it is there already */
export function createFile(path: string, content: Uint8Array, mode: number): void {
  if (existsSync(path)) {
    throw new SettingError(`${path} exists; --replace puts the new key in its place, which ends the old one`);
  }
  writeFile(() => writeFileSync(path, content, { mode, flag: 'wx' }), path);
}

/** @param newMode the mode where there is no file yet; one that is there keeps its own */
export function replaceFile(path: string, content: Uint8Array, newMode: number): void {
  const mode = existsSync(path) ? statSync(path).mode & 0o777 : newMode;
  const aside = join(dirname(path), `..${randomBytes(6).toString('hex')}`);
  writeFile(() => {
    writeFileSync(aside, content, { mode, flag: 'wx' });
    renameSync(aside, path);
  }, path);
}

function openManifest(path: string, entry: string | undefined): Target {
  const documents = parseAllDocuments(readBytes(path).toString(), { prettyErrors: false });
  if (documents.some(({ errors }) => errors.length > 0)) throw new SettingError(`${path} is not valid YAML`);
  const secrets = documents.filter((document) => document.get('kind') === 'Secret');
  const holders = secrets.flatMap((document) => entriesOf(document).map((each) => ({ document, ...each })));
  const named = holders.filter((holder) => entry === undefined || holder.name === entry);
  const [found, another] = named;
  if (found === undefined || another !== undefined) {
    const names = holders.map(({ name }) => name).join(', ');
    throw new SettingError(`--entry must name one entry of the Secret; it has: ${names || 'none'}`);
  }
  const { document, field, name } = found;
  return {
    path,
    name,
    read: () => {
      const text = String(document.getIn([field, name]));
      if (field === 'stringData') return Buffer.from(text);
      const bytes = decode(text.replace(/[\r\n]/g, ''), 'base64');
      if (bytes === undefined) throw new SettingError(`${path}: data.${name} is not base64`);
      return bytes;
    },
    write: (content) => {
      const buffer = Buffer.from(content);
      document.setIn([field, name], field === 'data' ? buffer.toString('base64') : buffer.toString());
      const text = documents
        .map(String)
        .reduce((all, next) => `${all}${/^---/.test(next) ? '' : '---\n'}${next}`);
      if (path === '-') process.stdout.write(text);
      else replaceFile(path, Buffer.from(text), ownerOnly);
    },
  };
}

function entriesOf(document: Document): { field: 'data' | 'stringData'; name: string }[] {
  return (['data', 'stringData'] as const).flatMap((field) => {
    const values = (document.toJS() as Record<string, object | null>)[field] ?? {};
    return Object.keys(values).map((name) => ({ field, name }));
  });
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path === '-' ? 0 : path);
  } catch {
    throw new SettingError(`${path} cannot be read; check the path and its permissions`);
  }
}

function writeFile(write: () => void, path: string): void {
  try {
    write();
  } catch {
    throw new SettingError(
      `${path} cannot be written; check that its directory exists and is yours to write`,
    );
  }
}
