/** Builds the binary before the suites that run it, unless the one in `dist/` is newer than all that it is made of. */

import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { binary } from './signer.ts';

const root = join(import.meta.dirname, '../..');

/** Called by vitest once a run. */
export function setup(): void {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  const files = ['package.json', 'package-lock.json', 'src', ...sources.map((path) => join('src', path))];
  const builtAt = modifiedAt(binary);
  if (files.some((path) => modifiedAt(join(root, path)) >= builtAt)) {
    execFileSync('npm', ['run', '--silent', 'build:binary'], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
}

/** Directories count too: removing a file changes the directory's time. A missing file is the oldest. */
function modifiedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
