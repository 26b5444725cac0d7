/** Notes about key files that every user of the machine can read or write. */

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** With more names, the other lines of a report would be hard to find. */
const maxNames = 10;

/** Such files are not refused, because 0644 is the default mode of a Secret volume in Kubernetes. */
export function permissionNotes(directory: string): readonly string[] {
  const files = filesIn(directory);
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

interface FileMode {
  /** The path from the directory. */
  readonly name: string;
  readonly mode: number;
}

function filesIn(directory: string): readonly FileMode[] {
  // In a volume of Kubernetes, the files are here, and beside it there are only links to them.
  const data = join(directory, '..data');
  return filesBelow(existsSync(data) ? data : directory);
}

/** Follows no link to a directory, because it could lead into a circle. Skips what cannot be looked at. */
function filesBelow(directory: string, prefix = ''): readonly FileMode[] {
  return orNone(() => readdirSync(directory, { withFileTypes: true })).flatMap((entry) => {
    if (entry.name.startsWith('..')) return [];
    const path = join(directory, entry.name);
    const name = prefix + entry.name;
    if (entry.isDirectory()) return filesBelow(path, `${name}/`);
    const files = orNone(() => [statSync(path)]).filter((stats) => stats.isFile());
    return files.map(({ mode }) => ({ name, mode }));
  });
}

function orNone<T>(look: () => T[]): T[] {
  try {
    return look();
  } catch {
    return [];
  }
}
