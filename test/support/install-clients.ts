/**
 * Installs the official webhook libraries of providers and the web frameworks before the interop suite, unless those
 * that are installed are newer than their lock file. They are a package of their own, because nothing else needs their
 * 700 MB.
 */

import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';

const directory = join(import.meta.dirname, '../interop/clients');

/** Called by vitest once a run. */
export function setup(): void {
  // npm writes this file when everything else is in place.
  const installedAt = modifiedAt('node_modules/.package-lock.json');
  if (installedAt > modifiedAt('package-lock.json')) return;
  console.error('installing the webhook libraries of providers and the web frameworks; this takes a minute');
  // .npmrc keeps their install scripts from running.
  execFileSync('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** A missing file is the oldest. */
function modifiedAt(path: string): number {
  return statSync(join(directory, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
