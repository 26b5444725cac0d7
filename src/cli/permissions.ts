/** Notes about key files that every user of the machine can read or write. */

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileName } from '../key-sets/settings.ts';

/** With more names, the other lines of a report would be hard to find. */
const maxNames = 10;

/**
 * Such files are not refused, because 0644 is the default mode of a Secret volume in Kubernetes.
 * @param used the names of the files that are read; undefined for all
 */
export function permissionNotes(directory: string, used: ReadonlySet<string> | undefined): readonly string[] {
  // In a Kubernetes volume, ..data holds the files; the names beside it are only links to them.
  const data = join(directory, '..data');
  const files = filesBelow(existsSync(data) ? data : directory).filter(
    ({ name }) => used?.has(fileName(name)) !== false,
  );
  return [
    { what: 'read', bits: 0o4 },
    { what: 'write', bits: 0o2 },
    { what: 'read and write', bits: 0o6 },
  ].flatMap(({ what, bits }) => {
    const names = files.filter(({ mode }) => (mode & 0o6) === bits).map(({ name }) => name);
    if (names.length === 0) return [];
    const more = names.length > maxNames ? [`and ${names.length - maxNames} more`] : [];
    const listed = [...names.sort().slice(0, maxNames), ...more].join(', ');
    return [`every user of this machine can ${what} in ${resolve(directory)}: ${listed}`];
  });
}

/**
 * The files with their paths from the directory. Skips what cannot be read. Unlike a recursive `readdirSync`, it follows
 * no link to a directory, which could lead into a circle.
 */
function filesBelow(directory: string, prefix = ''): readonly { name: string; mode: number }[] {
  return orNone(() => readdirSync(directory, { withFileTypes: true })).flatMap((entry) => {
    if (entry.name.startsWith('..')) return [];
    const path = join(directory, entry.name);
    const name = prefix + entry.name;
    if (entry.isDirectory()) return filesBelow(path, `${name}/`);
    const stats = orNone(() => [statSync(path)]).filter((each) => each.isFile());
    return stats.map(({ mode }) => ({ name, mode }));
  });
}

function orNone<T>(look: () => T[]): T[] {
  try {
    return look();
  } catch {
    return [];
  }
}
