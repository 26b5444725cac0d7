/** What the `keys` commands read and write: a key file, or an entry of a Kubernetes Secret manifest. */

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fchmodSync,
  openSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { RotationError } from '../../key-sets/rotation.ts';
import { systemCode } from '../../secret-volume/index.ts';
import { CommandFailure, unwrap } from '../failure.ts';
import { readInput } from '../input.ts';
import { parseSecretManifest } from '../secret-manifest.ts';

const ownerOnly = 0o600;

export interface KeyFile {
  /** For messages: the path of the file, or the name of the entry. */
  readonly name: string;
  read(): Uint8Array;
  write(content: Uint8Array): void;
}

/**
 * @param path a key file, a manifest (`*.yaml`, `*.yml`), or `-` for a manifest from standard input to standard output
 * @param entry which entry of the manifest; needed if there are several
 * @throws {CommandFailure}
 */
export function openKeyFile(path: string, entry: string | undefined): KeyFile {
  if (path === '-' || /\.ya?ml$/.test(path)) return openManifestEntry(path, entry);
  if (entry !== undefined) {
    throw new CommandFailure(`--entry is for a Secret manifest, and ${path} is not one (*.yaml, *.yml or -)`);
  }
  return { name: path, read: () => readInput(path), write: (content) => replaceFile(path, content) };
}

function openManifestEntry(path: string, entry: string | undefined): KeyFile {
  const prefix = path === '-' ? '' : `${path}: `;
  const manifest = unwrap(parseSecretManifest(readInput(path).toString()), prefix);
  const [found, another] = manifest.entries.filter(({ name }) => entry === undefined || name === entry);
  if (found === undefined || another !== undefined) {
    const names = manifest.entries.map(({ name }) => name).join(', ');
    throw new CommandFailure(`--entry must name one entry of the Secret; it has: ${names || 'none'}`);
  }
  return {
    name: found.name,
    read: () => unwrap(found.read(), `${path}: `),
    write: (content) => {
      found.write(content);
      if (path === '-') process.stdout.write(`${manifest}`);
      else replaceFile(path, Buffer.from(`${manifest}`));
    },
  };
}

/** @throws {CommandFailure} when the file exists */
export function createFile(path: string, content: Uint8Array, mode: number = ownerOnly): void {
  if (existsSync(path)) {
    throw new CommandFailure(`${path} exists; use --replace to replace its key, or --if-missing to keep it`);
  }
  orWriteFailure(path, () => writeNew(path, content, mode));
}

/**
 * Replaces a file by renaming, so that a reader sees the old content or the new one and never a part.
 * @param mode default: that of the file it replaces
 * @throws {CommandFailure} when something other than a file is there
 */
export function replaceFile(path: string, content: Uint8Array, mode?: number): void {
  const before = statSync(path, { throwIfNoEntry: false });
  if (before?.isFile() === false) {
    throw new CommandFailure(`${path} is not a regular file; name a key file`);
  }
  // Replace the file that a link points to, and not the link.
  const file = before === undefined ? path : realpathSync(path);
  // Names that begin with ".." are never read as keys.
  const temporary = join(dirname(file), `..${randomBytes(6).toString('hex')}`);
  orWriteFailure(path, () => {
    writeNew(temporary, content, mode ?? (before === undefined ? ownerOnly : before.mode & 0o777));
    removeOnFailure(temporary, () => renameSync(temporary, file));
  });
}

/** Sets the mode after writing: until then only the owner can read the file, and the umask does not apply. */
function writeNew(path: string, content: Uint8Array, mode: number): void {
  const descriptor = openSync(path, 'wx', ownerOnly);
  try {
    removeOnFailure(path, () => {
      writeFileSync(descriptor, content);
      fchmodSync(descriptor, mode);
    });
  } finally {
    closeSync(descriptor);
  }
}

/** Leaves no copy of a key behind. */
function removeOnFailure(path: string, step: () => void): void {
  try {
    step();
  } catch (error) {
    unlinkSync(path);
    throw error;
  }
}

function orWriteFailure(path: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    const advice = `check that its directory exists and that you may write to it`;
    const mount = systemCode(error) === 'EBUSY' ? ', and that the file is not a mount point' : '';
    throw new CommandFailure(`${path} cannot be written; ${advice}${mount}`);
  }
}

/** Turns a step that the rules of rotation refuse into a failure of the command. @param name of the key file */
export function orRotationFailure<T>(name: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (error instanceof RotationError) throw new CommandFailure(`${name}: ${error.message}`);
    throw error;
  }
}
