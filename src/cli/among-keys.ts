/** Whether a path lies in a directory with keys, where every file can be a key. */

import { realpathSync, statSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { CommandFailure } from './failure.ts';

/** The directory with keys in which a path lies, whatever links lead there; undefined if it lies in none. */
export function keyDirectoryOf(path: string, keyDirectories: readonly string[]): string | undefined {
  const place = realPlace(path);
  return keyDirectories.find((each) => isWithin(real(each), place));
}

/**
 * Without a configuration every file in these directories is read as a key, and a socket cannot be one.
 * @throws {CommandFailure}
 */
export function refuseSocketsAmongKeys(
  sockets: readonly { readonly path: string }[],
  { keys, config }: { readonly keys: readonly string[]; readonly config?: string },
): void {
  if (config !== undefined) return;
  for (const { path } of sockets) {
    const directory = keyDirectoryOf(path, keys);
    if (directory === undefined) continue;
    throw new CommandFailure(
      `cannot listen on ${path}: it lies in ${directory}, where the signer reads every file as a key; choose another directory`,
    );
  }
}

function realPlace(path: string): string {
  try {
    return statSync(path, { throwIfNoEntry: false })
      ? realpathSync(path)
      : resolve(realpathSync(dirname(path)), relative(dirname(path), path));
  } catch {
    // To open it fails as well, and tells why.
    return resolve(path);
  }
}

function isWithin(directory: string, path: string): boolean {
  return path === directory || path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}

function real(directory: string): string {
  try {
    return realpathSync(directory);
  } catch {
    return resolve(directory);
  }
}
