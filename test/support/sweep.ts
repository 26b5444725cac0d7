/**
 * What somebody could take who reads files as this process: the content of every file it can open goes to standard
 * output, from the root down, with the memory and the root directories of other processes where /proc lets it. Runs
 * inside a container under test and knows no secret; whoever gets its output searches for one.
 */

import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs';

const maxFileBytes = 2 ** 20;
const maxMemoryBytes = 2 ** 26;
// Small, since the container may have little memory, and what it runs on has it too.
const buffer = Buffer.alloc(2 ** 16);
const count = { opened: 0, refused: 0, processes: 0, regions: 0 };

function emit(length: number): void {
  for (let at = 0; at < length; ) at += writeSync(1, buffer, at, length - at);
}

function take(path: string): void {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    count.refused++;
    return;
  }
  try {
    if (!fstatSync(file).isFile()) return;
    count.opened++;
    let left = maxFileBytes;
    for (let read = -1; read !== 0 && left > 0; left -= read) {
      read = readSync(file, buffer, 0, buffer.length, null);
      emit(read);
    }
  } catch {
    // A file of /proc or /sys that opens, but gives nothing.
  } finally {
    closeSync(file);
  }
}

function walk(directory: string, skip: readonly string[] = []): void {
  let entries: ReturnType<typeof list>;
  try {
    entries = list(directory);
  } catch {
    count.refused++;
    return;
  }
  for (const entry of entries) {
    const path = `${directory === '/' ? '' : directory}/${entry.name}`;
    if (skip.includes(path)) continue;
    if (entry.isDirectory()) walk(path, skip);
    else if (entry.isFile() || path.includes('/fd/')) take(path);
  }
}

function list(directory: string) {
  return readdirSync(directory, { withFileTypes: true });
}

function same(a: string, b: string): boolean {
  const [one, other] = [statSync(a), statSync(b)];
  return one.dev === other.dev && one.ino === other.ino;
}

/** The root directory of another process, and its memory. */
function intrude(pid: string): void {
  count.processes++;
  const root = `/proc/${pid}/root`;
  try {
    if (!same(root, '/')) walk(root, [`${root}/proc`, `${root}/sys`, `${root}/dev`]);
  } catch {
    count.refused++;
  }
  try {
    const memory = openSync(`/proc/${pid}/mem`, 'r');
    let left = maxMemoryBytes;
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) r/.exec(line) ?? [];
      if (from === undefined || to === undefined) continue;
      count.regions++;
      const end = Number.parseInt(to, 16);
      try {
        for (let at = Number.parseInt(from, 16); at < end && left > 0; ) {
          const read = readSync(memory, buffer, 0, Math.min(buffer.length, end - at), at);
          if (read === 0) break;
          emit(read);
          at += read;
          left -= read;
        }
      } catch {
        // A region that is reserved but not there.
      }
    }
    closeSync(memory);
  } catch {
    count.refused++;
  }
}

walk('/');
for (const pid of readdirSync('/proc')) {
  if (/^\d+$/.test(pid) && Number(pid) !== process.pid) intrude(pid);
}
process.stderr.write(`${JSON.stringify(count)}\n`);
