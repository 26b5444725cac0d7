/**
 * Creates, replaces and rotates key files. Each file changes by one system call, so that a reader sees the old content or
 * the new one and never a part, and so that a command that is killed loses no key.
 */

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { systemCode } from '../../secret-volume/index.ts';
import { CommandFailure } from '../failure.ts';

const ownerOnly = 0o600;

/** @throws {CommandFailure} when the file exists */
export function createFile(path: string, content: Uint8Array, mode: number = ownerOnly): void {
  if (existsSync(path)) {
    throw new CommandFailure(`${path} exists; use --replace to replace its key, or --if-missing to keep it`);
  }
  orWriteFailure(path, () => writeNew(path, content, { mode }));
}

export interface Replacement {
  /** Default: that of the file that is replaced. */
  readonly mode?: number | undefined;
  /** What the file held when the new content was made of it. */
  readonly old?: Uint8Array | undefined;
}

/**
 * Replaces a file by renaming. It keeps its owner and group, if the process may set them.
 * @throws {CommandFailure} when something other than a file is there, or something other than `old` is in it
 */
export function replaceFile(path: string, content: Uint8Array, { mode, old }: Replacement = {}): void {
  const before = statSync(path, { throwIfNoEntry: false });
  refuseOther(path, before);
  // Replace the file that a link points to, and not the link.
  const file = before === undefined ? path : realpathSync(path);
  orWriteFailure(path, () => {
    const temporary = temporaryIn(dirname(file));
    writeNew(temporary, content, { before, mode });
    removeOnFailure(temporary, () => {
      if (old !== undefined) refuseChanged(path, old);
      renameSync(temporary, file);
    });
    syncDirectory(dirname(file));
  });
}

/** What there is at the path for the old content: nothing, that content already, or what may be replaced. */
export type Place = 'free' | 'same' | 'replaceable';

/**
 * Keeps the content of a file under a second path, and then replaces it. At any moment the old content is under one of the
 * two paths at least, and whatever is under the first is whole.
 * @throws {CommandFailure}
 */
export function rotateFile(
  path: string,
  previous: string,
  place: Place,
  { old, content }: { readonly old: Uint8Array; readonly content: Uint8Array },
): void {
  const before = statSync(path);
  refuseOther(path, before);
  const file = realpathSync(path);
  orWriteFailure(`${path} or ${previous}`, () => {
    const temporary = temporaryIn(dirname(file));
    // First, because this step needs space, and nothing has changed yet if there is none.
    writeNew(temporary, content, { before });
    removeOnFailure(temporary, () => {
      refuseChanged(path, old);
      if (place !== 'same') keep(file, previous, place);
      syncDirectory(dirname(previous));
      refuseChanged(path, old);
      renameSync(temporary, file);
    });
    syncDirectory(dirname(file));
  });
}

/**
 * Of two commands that replace a key at the same time, one would undo what the other has done, and the key that it has made
 * would be lost. Called just before the file is replaced, which leaves them some microseconds.
 */
function refuseChanged(path: string, old: Uint8Array): void {
  if (Buffer.compare(readFileSync(path), old) === 0) return;
  throw new CommandFailure(
    `${path} was changed by somebody else at the same time, and is left as it is; run the command again`,
  );
}

/** A second name for the same file keeps everything about it, and is refused where another file has appeared. */
function keep(file: string, previous: string, place: 'free' | 'replaceable'): void {
  if (place === 'free' && link(file, previous)) return;
  const temporary = temporaryIn(dirname(previous));
  if (!link(file, temporary)) writeNew(temporary, readFileSync(file), { before: statSync(file) });
  removeOnFailure(temporary, () => renameSync(temporary, previous));
}

/** @returns whether the file system and its rules allow it; if not, a copy has to do */
function link(file: string, path: string): boolean {
  try {
    linkSync(file, path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') throw error;
    return false;
  }
}

function refuseOther(path: string, found: Stats | undefined): void {
  if (found?.isFile() === false) {
    throw new CommandFailure(`${path} is not a regular file; name a key file`);
  }
}

/** Names that begin with ".." are never read as keys. */
function temporaryIn(directory: string): string {
  return join(directory, `..${randomBytes(6).toString('hex')}`);
}

interface Attributes {
  /** The file that is replaced, whose owner, group and mode the new one gets. */
  readonly before?: Stats | undefined;
  /** Goes before the mode of that file. */
  readonly mode?: number | undefined;
}

/** Sets owner and mode after writing: until then only this user can read the file, and the umask does not apply. */
function writeNew(path: string, content: Uint8Array, { before, mode }: Attributes): void {
  const descriptor = openSync(path, 'wx', ownerOnly);
  try {
    removeOnFailure(path, () => {
      writeFileSync(descriptor, content);
      const isGroupKept = before === undefined || keepOwner(descriptor, before);
      // Another group must not read what was for the old one.
      const usual = (before?.mode ?? ownerOnly) & (isGroupKept ? 0o777 : 0o707);
      fchmodSync(descriptor, mode ?? usual);
      fsyncSync(descriptor);
    });
  } finally {
    closeSync(descriptor);
  }
}

/** Only root may give a file away; others may give it to a group that they are in. @returns whether the group is kept */
function keepOwner(descriptor: number, { uid, gid }: Stats): boolean {
  for (const owner of [uid, fstatSync(descriptor).uid]) {
    try {
      fchownSync(descriptor, owner, gid);
      return true;
    } catch {
      // Not permitted, or not known to this file system.
    }
  }
  return false;
}

/** Makes the names in a directory outlast a power cut, in this order. Some file systems cannot. */
function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } catch {
    // What is in the file itself has been synchronized.
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
    if (error instanceof CommandFailure) throw error;
    const advice = 'check that its directory exists and that you may write to it';
    const mount = systemCode(error) === 'EBUSY' ? ', and that the file is not a mount point' : '';
    throw new CommandFailure(`${path} cannot be written; ${advice}${mount}`);
  }
}
