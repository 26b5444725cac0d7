/** What the `keys` commands read and write: a key file, or an entry of a Kubernetes Secret manifest, comments kept. */

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fchmodSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type Document, isMap, parseAllDocuments, stringify } from 'yaml';
import { decode } from '../../bytes/encoding.ts';
import { systemCode } from '../../secret-volume/index.ts';
import { SettingError } from '../setting-error.ts';

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
  const write = (content: Uint8Array) => replaceFile(path, content);
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
export function createFile(path: string, content: Uint8Array, mode: number = ownerOnly): void {
  if (existsSync(path)) {
    throw new SettingError(`${path} exists; --replace puts the new key in its place, which ends the old one`);
  }
  attempt(() => writeNew(path, content, mode), path);
}

/** @param mode default: that of the file that is there. @throws {SettingError} when that is not a regular file */
export function replaceFile(path: string, content: Uint8Array, mode?: number): void {
  const before = statSync(path, { throwIfNoEntry: false });
  if (before?.isFile() === false) throw new SettingError(`${path} is not a regular file; name a key file`);
  // Where a link leads, so that it stays one.
  const file = before === undefined ? path : realpathSync(path);
  const aside = join(dirname(file), `..${randomBytes(6).toString('hex')}`);
  attempt(() => {
    writeNew(aside, content, mode ?? (before === undefined ? ownerOnly : before.mode & 0o777));
    removedOnFailure(aside, () => renameSync(aside, file));
  }, path);
}

/** Writes a file that nobody else can read before it is whole; its mode is this one whatever the umask. */
function writeNew(path: string, content: Uint8Array, mode: number): void {
  const descriptor = openSync(path, 'wx', ownerOnly);
  try {
    removedOnFailure(path, () => {
      writeFileSync(descriptor, content);
      fchmodSync(descriptor, mode);
    });
  } finally {
    closeSync(descriptor);
  }
}

/** No copy of a key stays behind where its last step could not be taken. */
function removedOnFailure(path: string, step: () => void): void {
  try {
    step();
  } catch (error) {
    unlinkSync(path);
    throw error;
  }
}

function openManifest(path: string, entry: string | undefined): Target {
  const documents = parseAllDocuments(readBytes(path).toString(), { prettyErrors: false });
  if (!documents.every(isValid)) throw new SettingError(`${path} is not valid YAML`);
  const secrets = documents.filter((document) => document.get('kind') === 'Secret');
  if (secrets.length === 0) {
    const kinds = documents.map((document) => String(document.get('kind'))).filter(isKind);
    throw new SettingError(
      `the manifest holds no Secret (kind: ${kinds.join(', ') || 'none'}); give one as "kubectl get secret NAME -o yaml" writes it`,
    );
  }
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
      else replaceFile(path, Buffer.from(text));
    },
  };
}

function isValid(document: Document): boolean {
  try {
    // Throws for an alias to nothing.
    document.toJS();
    return document.errors.length === 0;
  } catch {
    return false;
  }
}

/** As Kubernetes names them; what else stands there may be anything. */
function isKind(kind: string): boolean {
  return /^[A-Z][A-Za-z0-9]*$/.test(kind);
}

function entriesOf(document: Document): { field: 'data' | 'stringData'; name: string }[] {
  return (['data', 'stringData'] as const).flatMap((field) => {
    const values = document.get(field);
    return isMap(values) ? values.items.map(({ key }) => ({ field, name: String(key) })) : [];
  });
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path === '-' ? 0 : path);
  } catch {
    throw new SettingError(`${path} cannot be read; check the path and its permissions`);
  }
}

function attempt(write: () => void, path: string): void {
  try {
    write();
  } catch (error) {
    const mount = systemCode(error) === 'EBUSY' ? ', and that it is no mount itself' : '';
    throw new SettingError(
      `${path} cannot be written; check that its directory exists and is yours to write${mount}`,
    );
  }
}
