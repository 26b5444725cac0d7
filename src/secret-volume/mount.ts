/**
 * Checks the kernel's list of mounts for reasons why a directory may not follow its Secret. It only gives warnings; a
 * reading does not depend on it.
 */

import { readFile, realpath, stat } from 'node:fs/promises';
import { sep } from 'node:path';
import type { Layout } from './identity.ts';
import { about, type VolumeWarning } from './problem.ts';

interface Mount {
  /** The directory or file of the file system that is mounted. */
  readonly root: string;
  readonly point: string;
  readonly type: string;
}

const unreliable = /^(?:nfs|cifs|smb|9p|fuse|virtiofs|overlay)/;

/** Returns warnings about the way in which a directory is mounted. Without `/proc`, only `plain_layout` is reported. */
export async function inspectMount(directory: string, layout: Layout): Promise<readonly VolumeWarning[]> {
  const warnings: VolumeWarning[] = [];
  if (layout === 'plain') {
    const message = `${directory} has plain files, each replaced on its own; only a secret volume swaps all of them together`;
    warnings.push({ code: 'plain_layout', message });
  }
  try {
    const mounts = parseMounts(await readFile('/proc/self/mountinfo', 'utf8'));
    const path = await realpath(directory);
    warnings.push(...ofDirectory(mounts, path), ...(await ofFiles(mounts, path)));
  } catch {
    // Not Linux, or the directory was removed meanwhile.
  }
  return warnings;
}

/** Checks the mount of the directory: the one with the longest mount point. If several have it, the last one hides the others. */
function ofDirectory(mounts: readonly Mount[], path: string): VolumeWarning[] {
  const mount = mounts
    .filter(({ point }) => path === point || path.startsWith(point.endsWith(sep) ? point : point + sep))
    .reduce<Mount | undefined>(
      (a, b) => (a !== undefined && a.point.length > b.point.length ? a : b),
      undefined,
    );
  const warnings: VolumeWarning[] = [];
  if (mount !== undefined && isOfGeneration(mount)) {
    const message = `${path} is a subPath mount and will never follow an update; mount the whole secret as a directory`;
    warnings.push({ code: 'never_updates', message });
  }
  if (mount !== undefined && unreliable.test(mount.type)) {
    const message = `${path} is on ${mount.type}, which does not report every change; the poll finds them`;
    warnings.push({ code: 'unreliable_events', message });
  }
  return warnings;
}

/** Checks the files of the directory that are mounted separately. */
async function ofFiles(mounts: readonly Mount[], path: string): Promise<VolumeWarning[]> {
  const warnings: VolumeWarning[] = [];
  for (const mount of mounts) {
    if (!mount.point.startsWith(path + sep)) continue;
    const isFile = await stat(mount.point).then(
      (s) => !s.isDirectory(),
      () => false,
    );
    if (!isFile && !isOfGeneration(mount)) continue;
    const kind = isOfGeneration(mount) ? 'a subPath mount' : 'a mount of a single file';
    const what = `is ${kind} and will not follow its replacement; mount the whole secret as a directory`;
    warnings.push(about(mount.point.slice(path.length + 1), 'never_updates', what));
  }
  return warnings;
}

/** Whether the mount is part of one generation (a timestamp directory of the kubelet), which it will always show. */
function isOfGeneration({ root }: Mount): boolean {
  return root.split(sep).some((element) => element.startsWith('..'));
}

/** The fields of a line (proc_pid_mountinfo(5)): id, parent, device, root, mount point, options, ..., "-", type, ... */
function parseMounts(mountinfo: string): readonly Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ');
    const [, , , root, point] = before?.split(' ') ?? [];
    const type = after?.split(' ')[0];
    if (root === undefined || point === undefined || type === undefined) return [];
    return [{ root: decodeOctal(root), point: decodeOctal(point), type }];
  });
}

/** The kernel writes a space, tab, newline or backslash as an octal escape. */
function decodeOctal(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
