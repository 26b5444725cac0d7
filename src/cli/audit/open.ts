/** Opens what `--audit` names: a file, or whatever else can be opened for appending. */

import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  type Stats,
  statSync,
} from 'node:fs';
import { type Head, origin } from '../../audit/chain.ts';
import { systemCode } from '../../secret-volume/index.ts';
import { keyDirectoryOf } from '../among-keys.ts';
import { CommandFailure } from '../failure.ts';
import { directoryProblem } from '../socket.ts';
import { readEnd } from './end.ts';
import { lockFile } from './lock.ts';

const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
const mode = 0o640;

export interface Opened {
  readonly descriptor: number;
  readonly kind: 'file' | 'pipe' | 'other';
  /** Where the chain of a file goes on. */
  readonly head: Head;
  /** How many bytes of a line that was cut off have been removed. */
  readonly removedBytes: number;
  readonly stats: Stats;
}

/** @throws {CommandFailure} with what to do */
export function openTarget(path: string, keyDirectories: readonly string[]): Opened {
  refusePlace(path, keyDirectories);
  const descriptor = openForAppending(path);
  try {
    const stats = fstatSync(descriptor);
    if (stats.isFIFO()) return { descriptor, kind: 'pipe', head: origin, removedBytes: 0, stats };
    // What is not a file may have no end: /dev/full can be read for ever.
    if (!stats.isFile()) return { descriptor, kind: 'other', head: origin, removedBytes: 0, stats };
    if (!lockFile(descriptor)) {
      throw failure(
        path,
        'another process has locked it, or its file system has no locks; give each signer a file of its own',
      );
    }
    return { descriptor, kind: 'file', ...continueChain(path, descriptor), stats };
  } catch (error) {
    closeSync(descriptor);
    if (error instanceof CommandFailure) throw error;
    throw failure(
      path,
      `it cannot be used (${systemCode(error) ?? 'unknown error'}); choose another --audit`,
    );
  }
}

/** Removes the last line if it was cut off. */
function continueChain(path: string, descriptor: number): Pick<Opened, 'head' | 'removedBytes'> {
  let reader: number;
  try {
    reader = openSync(path, 'r');
  } catch (error) {
    const code = systemCode(error) ?? 'unknown error';
    throw failure(
      path,
      `it cannot be read (${code}), and its chain goes on from its last line; make it readable`,
    );
  }
  try {
    const end = readEnd(reader);
    if (end === undefined || fstatSync(reader).ino !== fstatSync(descriptor).ino) {
      throw failure(path, 'it does not end with a line of an audit; move it away, or choose another --audit');
    }
    if (end.cutBytes > 0) removeCut(path, descriptor, end.length);
    return { head: end.head, removedBytes: end.cutBytes };
  } finally {
    closeSync(reader);
  }
}

/** A file that can only be appended to (`chattr +a`) cannot be cut. */
function removeCut(path: string, descriptor: number, length: number): void {
  try {
    ftruncateSync(descriptor, length);
  } catch (error) {
    const code = systemCode(error) ?? 'unknown error';
    throw failure(
      path,
      `its last line is cut off, and the rest of it cannot be removed (${code}); move the file away, or allow it to be changed (chattr -a)`,
    );
  }
}

function refusePlace(path: string, keyDirectories: readonly string[]): void {
  if (isDangling(path)) {
    throw failure(
      path,
      'it is a symbolic link to a file that does not exist; create the file, or remove the link',
    );
  }
  const directory = keyDirectoryOf(path, keyDirectories);
  if (directory === undefined) return;
  throw failure(path, `it lies in ${directory}, from which the signer reads keys; choose another directory`);
}

function isDangling(path: string): boolean {
  try {
    const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink();
    return isLink === true && statSync(path, { throwIfNoEntry: false }) === undefined;
  } catch {
    // To open it fails as well, and tells why.
    return false;
  }
}

function openForAppending(path: string): number {
  try {
    // A FIFO without a reader must not hold up the start.
    return openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, mode);
  } catch (error) {
    const code = systemCode(error) ?? 'unknown error';
    throw failure(path, whyNotOpened(path, code));
  }
}

function whyNotOpened(path: string, code: string): string {
  const found = look(path);
  if (code === 'EISDIR' || found?.isDirectory()) return 'it is a directory; give the path of a file in it';
  if (code === 'ENXIO') {
    return found?.isSocket()
      ? 'it is a socket; give a file, a device, or a FIFO that has a reader'
      : 'it is a FIFO that nobody reads; start its reader first';
  }
  const inDirectory = found === undefined ? directoryProblem(path, code) : undefined;
  if (inDirectory !== undefined) return inDirectory;
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return `uid ${process.geteuid?.()} may not write to it (${code}); change its owner or its mode, or choose another --audit`;
  }
  return `${code}; choose another --audit`;
}

function look(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function failure(path: string, why: string): CommandFailure {
  return new CommandFailure(`cannot write the audit to ${path}: ${why}`);
}
