/** Protects the memory of the process: from core dumps, and from other processes of the same user. */

import { dlopen, FFIType, ptr } from 'bun:ffi';

const RLIMIT_CORE = 4;
const PR_SET_DUMPABLE = 4;

/**
 * Turns off core dumps, and access to `/proc/<pid>/mem` and `environ` for processes of the same user. Linux only.
 * @returns whether both succeeded
 */
export function hardenProcess(): boolean {
  if (process.platform !== 'linux') return false;
  try {
    const { i32, u64 } = FFIType;
    const libc = dlopen('libc.so.6', {
      setrlimit: { args: [i32, FFIType.ptr], returns: i32 },
      prctl: { args: [i32, u64, u64, u64, u64], returns: i32 },
    });
    const zeroLimit = new BigUint64Array([0n, 0n]);
    const noCore = libc.symbols.setrlimit(RLIMIT_CORE, ptr(zeroLimit)) === 0;
    const notDumpable = libc.symbols.prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n) === 0;
    libc.close();
    return noCore && notDumpable;
  } catch {
    return false;
  }
}
