/**
 * Takes one reading: every file of one generation, complete, or nothing. The pinned target of `..data` is read and
 * then checked to be still in force (a seqlock), since the kubelet removes an old generation file by file.
 */

import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { sep } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Entry, type Identity, identify, type Layout, type VolumeLimits, walk } from './identity.ts';
import { systemCode, VolumeError, type VolumeProblem, volumeError } from './problem.ts';

/** The files of one generation: name (with slashes for sub-directories) to exact bytes. */
export interface Files {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly layout: Layout;
  readonly identity: Identity;
}

const maxAttempts = 20;
const promptAttempts = 3;

/**
 * Reads the volume, again for as long as it changes underneath (at most 20 times).
 * @throws {VolumeError} with every problem found
 */
export async function readFiles(directory: string, limits: VolumeLimits): Promise<Files> {
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    if (attempt > promptAttempts) await delay(2 * attempt);
    try {
      const files = await readOnce(directory, limits);
      if (files !== undefined) return files;
    } catch (error) {
      if (!isTransient(error)) throw asVolumeError(error, directory);
    }
  }
  throw volumeError('unsettled', `${directory} kept changing while it was read; trying again`);
}

/** A system error as a problem of this volume; a VolumeError as it is. */
export function asVolumeError(error: unknown, directory: string): VolumeError {
  if (error instanceof VolumeError) return error;
  const code = systemCode(error) ?? 'unknown error';
  if (code === 'EACCES' || code === 'EPERM') {
    return volumeError('unreadable', `${directory} cannot be read by ${identityOfProcess()}`);
  }
  return volumeError('io_error', `${directory} could not be read: ${code}`);
}

/** Overwrites the bytes of a reading that nobody will use any more. */
export function wipe(files: ReadonlyMap<string, Uint8Array>): void {
  for (const bytes of files.values()) bytes.fill(0);
}

/** One attempt; undefined when the volume changed meanwhile. */
async function readOnce(directory: string, limits: VolumeLimits): Promise<Files | undefined> {
  const before = await identify(directory, limits);
  const files = new Map<string, Uint8Array>();
  const problems: VolumeProblem[] = [];
  let totalBytes = 0;
  let kept = false;
  try {
    for await (const entry of walk(before.base, limits)) {
      const outcome = await readEntry(entry, before, limits.maxFileBytes);
      if ('code' in outcome) {
        problems.push(outcome);
        continue;
      }
      files.set(entry.name, outcome);
      totalBytes += outcome.length;
      if (totalBytes > limits.maxTotalBytes) {
        throw volumeError('too_large', `the files are over ${limits.maxTotalBytes} bytes in all`);
      }
    }
    const after = await identify(directory, limits);
    if (after.key !== before.key) return undefined;
    if (problems.length > 0) throw new VolumeError(problems.sort(byName));
    if (files.size === 0) throw volumeError('empty', `${directory} holds no file; put a key into the secret`);
    kept = true;
    return { files, layout: before.layout, identity: before };
  } finally {
    if (!kept) wipe(files);
  }
}

async function readEntry(entry: Entry, pin: Identity, maxBytes: number): Promise<Uint8Array | VolumeProblem> {
  let path = entry.path;
  if (entry.dirent.isSymbolicLink()) {
    // Inside a pinned generation the kubelet makes no links; in a plain directory a link may stay inside it.
    const inside = pin.layout === 'plain' ? await linkInside(entry.path, pin.base) : undefined;
    if (inside === undefined) {
      return problem(entry, 'not_a_file', 'is a link that leads out of the directory or nowhere');
    }
    path = inside;
  } else if (!entry.dirent.isFile()) {
    return problem(entry, 'not_a_file', 'is not a regular file');
  }
  let handle: FileHandle;
  try {
    // O_NONBLOCK: opening a FIFO that took the file's place must not hang.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EACCES' || code === 'EPERM') {
      return problem(entry, 'unreadable', `cannot be read by ${identityOfProcess()}${await ownership(path)}`);
    }
    if (code === 'ELOOP') return problem(entry, 'not_a_file', 'was replaced by a link');
    throw error;
  }
  try {
    return await readBounded(handle, entry, maxBytes);
  } finally {
    await handle.close();
  }
}

/** Reads to the end, and never more than one byte over the limit, whatever the file's size claims to be. */
async function readBounded(
  handle: FileHandle,
  entry: Entry,
  maxBytes: number,
): Promise<Uint8Array | VolumeProblem> {
  const stats = await handle.stat();
  if (!stats.isFile()) return problem(entry, 'not_a_file', 'is not a regular file');
  const tooLarge = problem(entry, 'too_large', `is over ${maxBytes} bytes`);
  if (stats.size > maxBytes) return tooLarge;
  // One byte more than expected shows growth; allocUnsafeSlow keeps secret bytes out of the shared pool.
  let buffer = Buffer.allocUnsafeSlow(stats.size + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
    if (bytesRead === 0) return buffer.subarray(0, length);
    length += bytesRead;
    if (length > maxBytes) {
      buffer.fill(0);
      return tooLarge;
    }
    if (length === buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(maxBytes + 1, buffer.length * 2));
      buffer.copy(larger);
      buffer.fill(0);
      buffer = larger;
    }
  }
}

async function linkInside(path: string, base: string): Promise<string | undefined> {
  try {
    const [target, root] = await Promise.all([realpath(path), realpath(base)]);
    return target.startsWith(root + sep) ? target : undefined;
  } catch {
    return undefined;
  }
}

function problem(entry: Entry, code: VolumeProblem['code'], what: string): VolumeProblem {
  return { code, name: entry.name, message: `"${entry.name}" ${what}` };
}

function byName(a: VolumeProblem, b: VolumeProblem): number {
  return (a.name ?? '') < (b.name ?? '') ? -1 : 1;
}

/** ENOENT and its like happen while a generation is being swapped out; the next attempt sees the new one. */
function isTransient(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ESTALE';
}

function identityOfProcess(): string {
  const gids = process.getgroups?.().join(',');
  return `uid ${process.getuid?.()} with gids ${gids}`;
}

async function ownership(path: string): Promise<string> {
  try {
    const s = await stat(path);
    const mode = (s.mode & 0o7777).toString(8).padStart(4, '0');
    return ` (mode ${mode}, owner ${s.uid}:${s.gid}); set fsGroup in the pod's securityContext and defaultMode 0440 on the volume`;
  } catch {
    return '';
  }
}
