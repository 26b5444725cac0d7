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
import { systemCode } from '../../secret-volume/index.ts';
import { parseSecretManifest } from '../secret-manifest.ts';
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

/** @throws {SettingError} */
function openManifest(path: string, entry: string | undefined): Target {
  const parsed = parseSecretManifest(readBytes(path).toString());
  if (!parsed.ok) {
    throw new SettingError(`${path === '-' ? '' : `${path}: `}${parsed.problems.join('; ')}`);
  }
  const manifest = parsed.value;
  const entries = manifest.secrets.flatMap((secret) => secret.entries);
  const [found, another] = entries.filter(({ name }) => entry === undefined || name === entry);
  if (found === undefined || another !== undefined) {
    const names = entries.map(({ name }) => name).join(', ');
    throw new SettingError(`--entry must name one entry of the Secret; it has: ${names || 'none'}`);
  }
  return {
    path,
    name: found.name,
    read: () => {
      const content = found.read();
      if (!content.ok) throw new SettingError(`${path}: ${content.problems.join('; ')}`);
      return content.value;
    },
    write: (content) => {
      found.write(content);
      if (path === '-') process.stdout.write(`${manifest}`);
      else replaceFile(path, Buffer.from(`${manifest}`));
    },
  };
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
