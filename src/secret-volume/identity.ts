/**
 * Tells which generation a volume holds without opening a secret file. Two equal identities mean that nothing
 * was swapped, replaced or rewritten in between; a reading taken between them is one generation.
 */

import type { BigIntStats, Dirent } from 'node:fs';
import { opendir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode, volumeError } from './problem.ts';

/** `atomic` has the kubelet's `..data` link, whose target is swapped as a whole; `plain` is any other directory. */
export type Layout = 'atomic' | 'plain';

/** How much a volume may hold before it is refused unread. */
export interface VolumeLimits {
  /** Bytes of one file. Default 1 MiB, the most a Kubernetes Secret can hold. */
  readonly maxFileBytes: number;
  /** Number of files. Default 1,024. */
  readonly maxFiles: number;
  /** Bytes of all files together. Default 16 MiB. */
  readonly maxTotalBytes: number;
}

/** A volume at one moment: where its files are, and a key that changes when they do. */
export interface Identity {
  readonly layout: Layout;
  /** The directory that holds the files: the pinned target of `..data`, or the volume itself. */
  readonly base: string;
  /** Device and inode of the volume's own directory; another value means another directory was put in its place. */
  readonly root: string;
  readonly key: string;
}

/** A secret file (or what stands in its place): its name with slashes, and where it is. */
export interface Entry {
  readonly name: string;
  readonly path: string;
  readonly dirent: Dirent;
}

/** Sub-directories below this depth are refused; `items` paths in practice have one or two elements. */
export const maxDepth = 4;

/** @throws {VolumeError} `missing`, `not_a_directory`, `bad_layout`, `too_many_files`, `too_deep` */
export async function identify(directory: string, limits: VolumeLimits): Promise<Identity> {
  const rootStat = await statDirectory(directory);
  const root = `${rootStat.dev}:${rootStat.ino}`;
  const target = await dataTarget(directory);
  if (target === undefined) {
    return { layout: 'plain', base: directory, root, key: `${root}|${await plainKey(directory, limits)}` };
  }
  const base = join(directory, target);
  const s = await stat(base, { bigint: true });
  return { layout: 'atomic', base, root, key: `${root}|${target}|${s.dev}:${s.ino}:${s.ctimeNs}` };
}

/** Every file below `base`, in no order. Enters sub-directories, never linked ones; skips the kubelet's `..` names. */
export async function* walk(base: string, limits: VolumeLimits): AsyncGenerator<Entry> {
  let count = 0;
  const pending = [{ path: base, prefix: '', depth: 1 }];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for await (const dirent of await opendir(directory.path)) {
      if (directory.depth === 1 && dirent.name.startsWith('..')) continue;
      if (++count > limits.maxFiles) {
        throw volumeError('too_many_files', `more than ${limits.maxFiles} files in the directory`);
      }
      const entry = { path: join(directory.path, dirent.name), name: directory.prefix + dirent.name, dirent };
      if (!dirent.isDirectory()) {
        yield entry;
      } else if (directory.depth >= maxDepth) {
        throw volumeError('too_deep', `"${entry.name}" is nested more than ${maxDepth} directories deep`);
      } else {
        pending.push({ path: entry.path, prefix: `${entry.name}/`, depth: directory.depth + 1 });
      }
    }
  }
}

async function statDirectory(directory: string): Promise<BigIntStats> {
  try {
    const s = await stat(directory, { bigint: true });
    if (s.isDirectory()) return s;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw volumeError('missing', `directory ${directory} does not exist (yet); mount the secret there`);
    }
    throw error;
  }
  throw volumeError(
    'not_a_directory',
    `${directory} is not a directory; mount the whole secret as a directory, not a single file`,
  );
}

/** The name that `..data` points at; undefined where there is no such link. It must stay inside the volume. */
async function dataTarget(directory: string): Promise<string | undefined> {
  let target: string;
  try {
    target = await readlink(join(directory, '..data'));
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'EINVAL') return undefined;
    throw error;
  }
  // The kubelet links to a sibling "..<timestamp>"; anything else could lead out of the mount.
  if (!target.startsWith('..') || target === '..' || target.includes('/') || target === '..data') {
    throw volumeError('bad_layout', '"..data" does not point at a timestamp directory inside the volume');
  }
  return target;
}

async function plainKey(directory: string, limits: VolumeLimits): Promise<string> {
  const lines: string[] = [];
  for await (const entry of walk(directory, limits)) {
    try {
      const s = await stat(entry.path, { bigint: true });
      lines.push(`${entry.name}/${s.dev}:${s.ino}:${s.size}:${s.mtimeNs}:${s.ctimeNs}`);
    } catch (error) {
      lines.push(`${entry.name}/${systemCode(error)}`);
    }
  }
  return lines.sort().join('|');
}
