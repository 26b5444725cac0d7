/**
 * Writes a secret volume as the kubelet does (pkg/volume/util/atomic_writer.go): a new timestamp directory, one rename
 * of `..data`, visible links afterwards, the old directory removed last.
 */

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

export type Payload = Readonly<Record<string, string | Uint8Array>>;

/** One update of the volume, whole; file names may have slashes. */
export function writeVolume(directory: string, payload: Payload, mode = 0o644): void {
  mkdirSync(directory, { recursive: true });
  const old = currentTarget(directory);
  const target = mkdtempSync(join(directory, '..2026_11_24_00_00_00.'));
  for (const [name, content] of Object.entries(payload)) {
    mkdirSync(dirname(join(target, name)), { recursive: true });
    writeFileSync(join(target, name), content, { mode });
  }
  symlinkSync(target.slice(directory.length + 1), join(directory, '..data_tmp'));
  renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
  const wanted = new Set(Object.keys(payload).map((name) => name.split('/')[0] ?? name));
  const visible = new Set(readdirSync(directory).filter((name) => !name.startsWith('..')));
  for (const name of wanted) if (!visible.has(name)) symlinkSync(join('..data', name), join(directory, name));
  for (const name of visible) if (!wanted.has(name)) unlinkSync(join(directory, name));
  if (old !== undefined) rmSync(join(directory, old), { recursive: true });
}

function currentTarget(directory: string): string | undefined {
  try {
    return readlinkSync(join(directory, '..data'));
  } catch {
    return undefined;
  }
}
