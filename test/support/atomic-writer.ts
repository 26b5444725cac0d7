/**
 * Writes a secret volume as the kubelet does (pkg/volume/util/atomic_writer.go): a new timestamp directory, one rename
 * of `..data`, visible links afterwards, the old directory removed last and file by file.
 */

import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

export type Payload = Readonly<Record<string, string | Uint8Array>>;

export interface UpdateOptions {
  /** Of the files. Default 0644, as Kubernetes has it. */
  readonly mode?: number;
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Beginning of the new directory's name. Default: the time, as the kubelet writes it. */
  readonly stamp?: string;
  /** Makes the visible links before the swap, as older kubelets did. */
  readonly linksFirst?: boolean;
  /** Makes a new directory even if the content is the same. */
  readonly always?: boolean;
}

/** What has just been done; the numbers are those of the kubelet's own comment. */
export type Step =
  | 'written' // 6: the new directory is complete
  | 'staged' // 8: ..data_tmp points at it
  | 'swapped' // 9: ..data points at it
  | 'linked' // 10: new names are visible
  | 'unlinked' // 11: removed names are not
  | 'removing'; // 12: one more of the old files is gone

/** One update of the volume, whole; file names may have slashes. */
export function writeVolume(directory: string, payload: Payload, mode = 0o644): void {
  for (const _ of update(directory, payload, { mode }));
}

/** The same, step by step: stops after each one until it is asked for the next. */
export function* update(
  directory: string,
  payload: Payload,
  { mode = 0o644, owner, stamp = timestamp(), linksFirst = false, always = false }: UpdateOptions = {},
): Generator<Step, void, void> {
  mkdirSync(directory, { recursive: true });
  const old = currentTarget(directory);
  if (old === undefined || always || !holds(join(directory, old), payload)) {
    const target = mkdtempSync(join(directory, `${stamp}.`));
    chmodSync(target, 0o755);
    for (const [name, content] of Object.entries(payload)) {
      const path = join(target, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
      chmodSync(path, mode);
      if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
    }
    yield 'written';
    if (linksFirst) {
      addLinks(directory, payload);
      yield 'linked';
    }
    symlinkSync(target.slice(directory.length + 1), join(directory, '..data_tmp'));
    yield 'staged';
    renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
    yield 'swapped';
  }
  addLinks(directory, payload);
  yield 'linked';
  const wanted = topNames(payload);
  for (const name of visibleNames(directory)) if (!wanted.has(name)) unlinkSync(join(directory, name));
  yield 'unlinked';
  if (old === undefined || old === currentTarget(directory)) return;
  for (const name of files(join(directory, old))) {
    unlinkSync(join(directory, old, name));
    yield 'removing';
  }
  rmSync(join(directory, old), { recursive: true });
}

function addLinks(directory: string, payload: Payload): void {
  const visible = visibleNames(directory);
  for (const name of topNames(payload)) {
    if (!visible.has(name)) symlinkSync(join('..data', name), join(directory, name));
  }
}

function topNames(payload: Payload): ReadonlySet<string> {
  return new Set(Object.keys(payload).map((name) => name.split('/')[0] ?? name));
}

function visibleNames(directory: string): ReadonlySet<string> {
  return new Set(readdirSync(directory).filter((name) => !name.startsWith('..')));
}

function currentTarget(directory: string): string | undefined {
  try {
    return readlinkSync(join(directory, '..data'));
  } catch {
    return undefined;
  }
}

function holds(directory: string, payload: Payload): boolean {
  const present = files(directory);
  return (
    present.length === Object.keys(payload).length &&
    present.every((name) => {
      const content = payload[name];
      return content !== undefined && readFileSync(join(directory, name)).equals(Buffer.from(content));
    })
  );
}

function files(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
}

function timestamp(): string {
  return `..${new Date().toISOString().slice(0, 19).replace(/[-T:]/g, '_')}`;
}
