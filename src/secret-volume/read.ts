/**
 * Reads all files of one generation, or none. It reads the directory that `..data` points to, and then checks that the
 * link has not changed (a seqlock), because the kubelet removes an old generation file by file.
 */

import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { sep } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { DigestFile, Digests } from './change.ts';
import {
  type Entry,
  type Identity,
  identify,
  isTransient,
  type Layout,
  list,
  type Target,
  visit,
} from './identity.ts';
import { about, kindOf, systemCode, VolumeError, type VolumeProblem, volumeError } from './problem.ts';

/** The exact bytes of each file, by its name (with slashes for sub-directories). */
export type Files = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

/** What was read of one generation. */
export interface Content {
  readonly files: Files;
  readonly digests: Digests;
  /** The names of files that were not selected. */
  readonly others: readonly string[];
  /** Whether the directory has no file, or nothing at all if only some files are selected. */
  readonly isEmpty: boolean;
}

const maxAttempts = 20;
const promptAttempts = 3;

/**
 * Reads the volume. If it changes meanwhile, reads it again, up to 20 times.
 * @param found the identity of the volume just before
 * @throws {VolumeError} with all problems
 */
export async function readFiles(
  target: Target,
  found: Identity,
  digest: DigestFile,
): Promise<Content & { readonly identity: Identity }> {
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    if (attempt > promptAttempts) await delay(2 * attempt);
    try {
      const before = attempt === 1 ? found : await identify(target);
      const read = await attemptRead(target, before, digest);
      if (read !== undefined) return { ...read, identity: before };
    } catch (error) {
      if (!isTransient(error)) throw error;
    }
  }
  const what = 'kept changing while it was read, or its "..data" leads nowhere; trying again';
  throw volumeError('unsettled', `${target.directory} ${what}`);
}

/** Turns a system error into a problem of this volume. Returns a `VolumeError` unchanged. */
export function asVolumeError(error: unknown, directory: string): VolumeError {
  if (error instanceof VolumeError) return error;
  const code = systemCode(error) ?? kindOf(error);
  if (code === 'EACCES' || code === 'EPERM') {
    const what = `cannot be read by ${identityOfProcess()}; let this user list and enter it (chmod, chgrp)`;
    return volumeError('unreadable', `${directory} ${what}`);
  }
  return volumeError('io_error', `${directory} could not be read: ${code}`);
}

/** Overwrites the bytes of a reading that is no longer needed. */
export function wipe(files: Files): void {
  for (const bytes of files.values()) bytes.fill(0);
}

/** One attempt; undefined if the volume changed meanwhile. */
async function attemptRead(
  target: Target,
  before: Identity,
  digest: DigestFile,
): Promise<Content | undefined> {
  const { limits } = target;
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const digests = new Map<string, string>();
  const problems: VolumeProblem[] = [];
  let totalBytes = 0;
  let kept = false;
  try {
    const { entries, others, isEmpty } = await list(before.base, target);
    await visit(entries, async (entry) => {
      if (totalBytes > limits.maxTotalBytes) return;
      const outcome = await readEntry(entry, before, limits.maxFileBytes);
      if ('code' in outcome) {
        problems.push(outcome);
      } else {
        totalBytes += outcome.length;
        files.set(entry.name, outcome);
        // Digesting after each file, not all at the end, keeps the pauses of the host program short.
        digests.set(entry.name, digest(outcome));
      }
    });
    const after = await identify(target);
    if (after.key !== before.key) return undefined;
    if (totalBytes > limits.maxTotalBytes) {
      throw volumeError('too_large', `the files are over ${limits.maxTotalBytes} bytes in all`);
    }
    if (problems.length > 0) throw new VolumeError(problems.sort(byName));
    kept = true;
    return { files, digests, others, isEmpty: target.selection === undefined ? files.size === 0 : isEmpty };
  } finally {
    if (!kept) wipe(files);
  }
}

async function readEntry(
  entry: Entry,
  pin: Identity,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | VolumeProblem> {
  let path = entry.path;
  if (entry.dirent.isSymbolicLink()) {
    // The kubelet creates no links within a generation. In a plain directory, a link may point inside the directory.
    const inside = pin.layout === 'plain' ? await linkInside(entry.path, pin.base) : undefined;
    if (inside === undefined) {
      return about(entry.name, 'not_a_file', 'is a link that leads out of the directory or nowhere');
    }
    path = inside;
  } else if (!entry.dirent.isFile()) {
    return about(entry.name, 'not_a_file', 'is not a regular file');
  }
  let handle: FileHandle;
  try {
    // O_NONBLOCK: opening must not hang if the file was replaced by a FIFO.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EACCES' || code === 'EPERM') {
      const who = identityOfProcess();
      return about(entry.name, 'unreadable', `cannot be read by ${who}${await ownership(path, pin.layout)}`);
    }
    if (code === 'ELOOP') return about(entry.name, 'not_a_file', 'was replaced by a link');
    // The caller ignores this problem if the volume has changed meanwhile.
    if (isTransient(error)) return about(entry.name, 'io_error', `is listed but cannot be opened: ${code}`);
    throw error;
  }
  try {
    return await readBounded(handle, entry, maxBytes);
  } finally {
    await handle.close();
  }
}

/** Reads to the end of the file, but at most one byte over the limit, even if the file grows. */
async function readBounded(
  handle: FileHandle,
  { name }: Entry,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | VolumeProblem> {
  const stats = await handle.stat();
  if (!stats.isFile()) return about(name, 'not_a_file', 'is not a regular file');
  const tooLarge = about(name, 'too_large', `is over ${maxBytes} bytes`);
  if (stats.size > maxBytes) return tooLarge;
  // One byte more than the size shows whether the file grows. `new Uint8Array` never uses memory of a shared pool.
  let buffer = new Uint8Array(stats.size + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
    length += bytesRead;
    // The read asked for more than the size of the file, so this is the end.
    if (bytesRead === 0 || length === stats.size) return buffer.subarray(0, length);
    if (length > maxBytes) {
      buffer.fill(0);
      return tooLarge;
    }
    if (length === buffer.length) {
      const larger = new Uint8Array(Math.min(maxBytes + 1, buffer.length * 2));
      larger.set(buffer);
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

function byName(a: VolumeProblem, b: VolumeProblem): number {
  return (a.name ?? '') < (b.name ?? '') ? -1 : 1;
}

function identityOfProcess(): string {
  // In some runtimes, getgroups does not include the effective group.
  const gids = new Set([process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])]);
  return `uid ${process.geteuid?.()} with gids ${[...gids].sort((a, b) => a - b).join(',')}`;
}

async function ownership(path: string, layout: Layout): Promise<string> {
  try {
    const s = await stat(path);
    const mode = (s.mode & 0o7777).toString(8).padStart(4, '0');
    return ` (mode ${mode}, owner ${s.uid}:${s.gid}); ${permissionAdvice[layout]}`;
  } catch {
    return '';
  }
}

/** A volume of the kubelet gets its owners and modes from the pod, and other files from whoever made them. */
const permissionAdvice: Readonly<Record<Layout, string>> = {
  atomic: "set fsGroup in the pod's securityContext and defaultMode 0440 on the volume",
  plain:
    'let this user read the file where it was made (chgrp and chmod 0440 on the host, since a mounted file keeps its owner and mode), or run as a user who may',
};
