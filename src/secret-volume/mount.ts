/**
 * Tells from the kernel's list of mounts whether a directory can be expected to follow its Secret. Advice only: a
 * reading never depends on it.
 */

import { readFile, realpath, stat } from 'node:fs/promises';
import { sep } from 'node:path';
import type { Layout } from './identity.ts';
import { about, type VolumeWarning } from './problem.ts';

interface Mount {
  /** Which directory or file of its file system is mounted. */
  readonly root: string;
  readonly point: string;
  readonly type: string;
}

const unreliable = /^(?:nfs|cifs|smb|9p|fuse|virtiofs|overlay)/;

/** Everything about the way a directory is mounted that its owner should know; nothing where there is no `/proc`. */
export async function inspectMount(directory: string, layout: Layout): Promise<readonly VolumeWarning[]> {
  const warnings: VolumeWarning[] = [];
  if (layout === 'plain') {
    const message = `${directory} has plain files, each replaced on its own; only a secret volume swaps all of them together`;
    warnings.push({ code: 'plain_layout', message });
  }
  try {
    const mounts = parseMounts(await readFile('/proc/self/mountinfo', 'utf8'));
    const place = await realpath(directory);
    warnings.push(...own(mounts, place), ...(await within(mounts, place)));
  } catch {
    // Not Linux, or the directory went away again.
  }
  return warnings;
}

/** The mount that the directory lies on: the last one of the longest mount point, since later mounts cover earlier. */
function own(mounts: readonly Mount[], place: string): VolumeWarning[] {
  const mount = mounts
    .filter(({ point }) => place === point || place.startsWith(point.endsWith(sep) ? point : point + sep))
    .reduce<Mount | undefined>(
      (a, b) => (a !== undefined && a.point.length > b.point.length ? a : b),
      undefined,
    );
  const warnings: VolumeWarning[] = [];
  if (mount !== undefined && fromGeneration(mount)) {
    const message = `${place} is a subPath mount and will never follow an update; mount the whole secret as a directory`;
    warnings.push({ code: 'never_updates', message });
  }
  if (mount !== undefined && unreliable.test(mount.type)) {
    const message = `${place} is on ${mount.type}, which does not report every change; the poll finds them`;
    warnings.push({ code: 'unreliable_events', message });
  }
  return warnings;
}

/** Files of the directory that are mounts of their own. */
async function within(mounts: readonly Mount[], place: string): Promise<VolumeWarning[]> {
  const warnings: VolumeWarning[] = [];
  for (const mount of mounts) {
    if (!mount.point.startsWith(place + sep)) continue;
    const isFile = await stat(mount.point).then(
      (s) => !s.isDirectory(),
      () => false,
    );
    if (!isFile && !fromGeneration(mount)) continue;
    const kind = fromGeneration(mount) ? 'a subPath mount' : 'a mount of a single file';
    const what = `is ${kind} and will not follow its replacement; mount the whole secret as a directory`;
    warnings.push(about(mount.point.slice(place.length + 1), 'never_updates', what));
  }
  return warnings;
}

/** Whether what is mounted is a part of one of the kubelet's timestamp directories: it stays when that one is left. */
function fromGeneration({ root }: Mount): boolean {
  return root.split(sep).some((element) => element.startsWith('..'));
}

/** proc_pid_mountinfo(5): id, parent, device, root, mount point, options, optional fields, "-", type, ... */
function parseMounts(mountinfo: string): readonly Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ');
    const [, , , root, point] = before?.split(' ') ?? [];
    const type = after?.split(' ')[0];
    if (root === undefined || point === undefined || type === undefined) return [];
    return [{ root: decodeOctal(root), point: decodeOctal(point), type }];
  });
}

/** A space, tab, newline or backslash is written as an octal escape. */
function decodeOctal(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
