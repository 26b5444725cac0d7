/** Limits of the process: no core dumps, closed memory, few descriptors, small send buffers. Linux with glibc only. */

import { dlopen, FFIType, ptr } from 'bun:ffi';
import { readdirSync } from 'node:fs';

const RLIMIT_CORE = 4;
const RLIMIT_NOFILE = 7;
const PR_SET_DUMPABLE = 4;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;

/** A connection takes a descriptor, and up to 8 KiB while its request head is incomplete. */
const maxDescriptors = 8192n;
/**
 * The kernel doubles it. It must hold two segments of the loopback, of 64 KiB each: with less, long answers wait for delayed
 * acknowledgements.
 */
const sendBufferBytes = 64 * 1024;

/**
 * Turns off core dumps, and access to `/proc/<pid>/mem` and `environ` for processes of the same user. Lowers the limit of
 * descriptors, and with it the memory that connections can take.
 * @returns whether all of it succeeded
 */
export function hardenProcess(): boolean {
  return withLibc(({ getrlimit, setrlimit, prctl }) => {
    // A pair: the soft limit and the hard limit.
    const limit = new BigUint64Array([0n, 0n]);
    const noCore = setrlimit(RLIMIT_CORE, ptr(limit)) === 0;
    const notDumpable = prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n) === 0;
    if (getrlimit(RLIMIT_NOFILE, ptr(limit)) !== 0) return false;
    const [, hard = maxDescriptors] = limit;
    limit.fill(hard < maxDescriptors ? hard : maxDescriptors);
    return setrlimit(RLIMIT_NOFILE, ptr(limit)) === 0 && noCore && notDumpable;
  });
}

/**
 * Limits what the kernel holds of answers that nobody reads. Accepted TCP connections inherit the size from the listener,
 * whose descriptor the runtime does not tell, so it is set on every open socket.
 */
export function limitSendBuffers(): void {
  withLibc(({ setsockopt }) => {
    const size = new Int32Array([sendBufferBytes]);
    for (const name of readdirSync('/proc/self/fd')) {
      const descriptor = Number(name);
      // Standard output may be a socket, too, and is not a listener.
      if (descriptor > 2) setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, ptr(size), size.byteLength);
    }
    return true;
  });
}

type Libc = ReturnType<typeof openLibc>['symbols'];

/** @returns false also where there is no such library */
function withLibc(run: (libc: Libc) => boolean): boolean {
  if (process.platform !== 'linux') return false;
  try {
    const libc = openLibc();
    const succeeded = run(libc.symbols);
    libc.close();
    return succeeded;
  } catch {
    return false;
  }
}

function openLibc() {
  const { i32, u32, u64, ptr: pointer } = FFIType;
  return dlopen('libc.so.6', {
    getrlimit: { args: [i32, pointer], returns: i32 },
    setrlimit: { args: [i32, pointer], returns: i32 },
    prctl: { args: [i32, u64, u64, u64, u64], returns: i32 },
    setsockopt: { args: [i32, i32, i32, pointer, u32], returns: i32 },
  });
}
