/**
 * Identifies the generation of a volume without opening a file. If the identity is the same before and after a reading,
 * nothing was replaced or rewritten in between, so all files are of one generation.
 */

import type { BigIntStats, Dirent } from 'node:fs';
import { lstat, opendir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { about, systemCode, VolumeError, volumeError } from './problem.ts';

/** `atomic` has the kubelet's `..data` link, which replaces all files at once. `plain` is any other directory. */
export type Layout = 'atomic' | 'plain';

/** The limits of a volume. A volume over a limit is refused. */
export interface VolumeLimits {
  /** Bytes of one file. Default: 1 MiB, the limit of a Kubernetes Secret. */
  readonly maxFileBytes: number;
  /** Number of files and sub-directories. Default: 1,024. */
  readonly maxFiles: number;
  /** Bytes of all files together. Default: 16 MiB. */
  readonly maxTotalBytes: number;
}

/** The directory to read, with the limits and names that apply. */
export interface Target {
  readonly directory: string;
  readonly limits: VolumeLimits;
  /** Which files to read; undefined for all. */
  readonly selection: Selection | undefined;
  /** The names of files that must be there and not be empty. */
  readonly required: readonly string[];
  /** Whether a directory without any file is accepted. Otherwise that is more likely a mistake. */
  readonly mayBeEmpty: boolean;
}

/**
 * Whether a file is read, or a directory entered. Files and directories that it leaves out are never opened.
 * @param path with slashes, relative to the volume
 */
export type Selection = (path: string, isDirectory: boolean) => boolean;

/** Selects files by their exact paths, and the directories that lead to them. */
export function selectPaths(paths: ReadonlySet<string>): Selection {
  return (path, isDirectory) =>
    isDirectory ? [...paths].some((each) => each.startsWith(`${path}/`)) : paths.has(path);
}

/** A volume at one moment: where its files are, and a key that changes when the files change. */
export interface Identity {
  readonly layout: Layout;
  /** The directory with the files: the target of `..data`, or the volume itself. */
  readonly base: string;
  /** Device and inode of the volume's directory. A new value means that the directory was replaced. */
  readonly root: string;
  readonly key: string;
  /** When a file of a plain directory last changed, in milliseconds since the epoch by the file system's clock. */
  readonly changedAtMs: number;
}

/** A file, or whatever else is at the place of one. Its name contains slashes for sub-directories. */
export interface Entry {
  readonly name: string;
  readonly path: string;
  readonly dirent: Dirent;
}

/** Deeper sub-directories are refused. In practice, `items` paths have one or two elements. */
export const maxDepth = 4;

const maxAttempts = 3;

/** @throws {VolumeError} `missing`, `not_a_directory`, `bad_layout`, `too_many_files`, `too_deep` */
export async function identify(target: Target): Promise<Identity> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await identifyOnce(target);
    } catch (error) {
      if (attempt === maxAttempts || !isTransient(error)) throw error;
    }
  }
}

/** Whether a file was replaced between two system calls, so that another attempt can succeed. */
export function isTransient(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ESTALE';
}

async function identifyOnce(target: Target): Promise<Identity> {
  const { directory } = target;
  const rootStat = await statDirectory(directory);
  const root = `${rootStat.dev}:${rootStat.ino}`;
  const data = await dataTarget(directory);
  if (data === undefined) {
    const { key, changedAtMs } = await lookAtFiles(target);
    return { layout: 'plain', base: directory, root, key: `${root}|${key}`, changedAtMs };
  }
  const base = join(directory, data);
  const s = await lstat(base, { bigint: true }).catch(unlessGone);
  if (s?.isDirectory() === false) throw badLayout();
  const key = `${root}|${data}|${s?.dev}:${s?.ino}:${s?.ctimeNs}`;
  return { layout: 'atomic', base, root, key, changedAtMs: 0 };
}

/** What is below `base`. */
export interface Listing {
  /** The files to read, in no order. */
  readonly entries: readonly Entry[];
  /** The names of files that are not selected, as many as a message needs. */
  readonly others: readonly string[];
  /** Whether nothing at all is there, selected or not. */
  readonly isEmpty: boolean;
}

const maxOthers = 100;

/** Lists the files below `base`. Follows no links to directories, and skips the kubelet's `..` names. */
export async function list(base: string, { limits, selection }: Target): Promise<Listing> {
  const entries: Entry[] = [];
  const others: string[] = [];
  let count = 0;
  let isEmpty = true;
  const pending = [{ path: base, prefix: '', depth: 1 }];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for await (const dirent of await opendir(directory.path, { bufferSize: 256 })) {
      if (directory.depth === 1 && dirent.name.startsWith('..')) continue;
      isEmpty = false;
      const name = directory.prefix + dirent.name;
      const path = join(directory.path, dirent.name);
      if (dirent.name === '..data') {
        const what = 'belongs to a secret volume within this one; open that directory on its own';
        throw new VolumeError([about(name, 'bad_layout', what)]);
      }
      // If a link stands where a selected directory should be, list it as a file, which is refused later.
      const isSelected =
        selection === undefined ||
        selection(name, dirent.isDirectory()) ||
        (dirent.isSymbolicLink() && selection(name, true));
      if (!isSelected) {
        if (others.length < maxOthers && !dirent.isDirectory()) others.push(name);
        continue;
      }
      if (++count > limits.maxFiles) {
        throw volumeError('too_many_files', `more than ${limits.maxFiles} files in the directory`);
      }
      if (!dirent.isDirectory()) {
        entries.push({ name, path, dirent });
      } else if (directory.depth >= maxDepth) {
        const what = `is nested more than ${maxDepth} directories deep`;
        throw new VolumeError([about(name, 'too_deep', what)]);
      } else {
        pending.push({ path, prefix: `${name}/`, depth: directory.depth + 1 });
      }
    }
  }
  return { entries, others, isEmpty };
}

/** One at a time would be slow, and all at once would open up to 1,024 descriptors. */
const concurrency = 16;

/** Visits all entries, some at a time. Settles only when no visit is running. @throws the first error */
export async function visit(
  entries: readonly Entry[],
  act: (entry: Entry) => Promise<unknown>,
): Promise<void> {
  const queue = entries.values();
  const errors: unknown[] = [];
  const worker = async () => {
    for (const entry of queue) {
      if (errors.length > 0) return;
      await act(entry).catch((error) => errors.push(error));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  if (errors.length > 0) throw errors[0];
}

async function statDirectory(directory: string): Promise<BigIntStats> {
  try {
    const s = await stat(directory, { bigint: true });
    if (s.isDirectory()) return s;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw volumeError(
        'missing',
        `directory ${directory} does not exist (yet); mount the volume there, create it, or correct the path`,
      );
    }
    throw error;
  }
  throw volumeError(
    'not_a_directory',
    `${directory} is not a directory; mount the whole secret as a directory, not a single file`,
  );
}

/** The name that `..data` points to; undefined if there is no such link. @throws {VolumeError} `bad_layout` */
async function dataTarget(directory: string): Promise<string | undefined> {
  let target: string;
  try {
    target = await readlink(join(directory, '..data'));
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'EINVAL') return undefined;
    throw error;
  }
  // The kubelet links to a sibling "..<timestamp>". Any other target could be outside the mount.
  if (!target.startsWith('..') || target === '..' || target.includes('/')) throw badLayout();
  return target;
}

/** The target may be removed at any time. The check after the reading then finds that `..data` has changed. */
function unlessGone(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
}

function badLayout(): VolumeError {
  return volumeError('bad_layout', '"..data" does not point at a timestamp directory inside the volume');
}

async function lookAtFiles(target: Target): Promise<Pick<Identity, 'key' | 'changedAtMs'>> {
  const lines: string[] = [];
  let changedAtMs = 0;
  const { entries } = await list(target.directory, target);
  await visit(entries, async ({ name, path }) => {
    try {
      const s = await stat(path, { bigint: true });
      changedAtMs = Math.max(changedAtMs, Number(s.ctimeMs));
      lines.push(`${name}/${s.dev}:${s.ino}:${s.size}:${s.mtimeNs}:${s.ctimeNs}`);
    } catch (error) {
      lines.push(`${name}/${systemCode(error)}`);
    }
  });
  return { key: lines.sort().join('|'), changedAtMs };
}
