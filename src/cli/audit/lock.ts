/** Locks a file, so that no second process writes to it. Linux with glibc only. */

import { dlopen, FFIType } from 'bun:ffi';

const LOCK_EX = 2;
const LOCK_NB = 4;

/** The lock ends with the descriptor. @returns false if another process has it, or if the file system has no locks */
export function lockFile(descriptor: number): boolean {
  if (process.platform !== 'linux') return true;
  let libc: ReturnType<typeof openLibc>;
  try {
    libc = openLibc();
  } catch {
    // There is no such library.
    return true;
  }
  const locked = libc.symbols.flock(descriptor, LOCK_EX | LOCK_NB) === 0;
  libc.close();
  return locked;
}

function openLibc() {
  const { i32 } = FFIType;
  return dlopen('libc.so.6', { flock: { args: [i32, i32], returns: i32 } });
}
