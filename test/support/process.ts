/** What the kernel tells of another process, without its help. Linux alone has `/proc`. */

import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Signer } from './signer.ts';

/** Whether this system has `/proc`. */
export const hasProc: boolean = existsSync('/proc/self/status');

export const isRoot: boolean = process.getuid?.() === 0;

/** Bytes in physical memory that are the process' own. */
export function privateMemory(running: Pick<Signer, 'process'>): number {
  return statusOf(running, 'RssAnon');
}

/** The most bytes that it ever had in physical memory, the program's file included. */
export function peakMemory(signer: Signer): number {
  return statusOf(signer, 'VmHWM');
}

/** How long its main thread has been running for, by the scheduler's own account. */
export function cpuMs({ process: { pid } }: Signer): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
}

/** What its file descriptors stand for. The process is not dumpable, so that root alone may look. */
export function openFiles({ process: { pid } }: Signer): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return []; // closed meanwhile
    }
  });
}

/** How many files and directories it watches. */
export function watches({ process: { pid } }: Signer): number {
  const infos = readdirSync(`/proc/${pid}/fdinfo`).map((fd) => {
    try {
      return readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8');
    } catch {
      return '';
    }
  });
  return infos.flatMap((info) => info.match(/^inotify /gm) ?? []).length;
}

/** Bytes it has read, by all its system calls. */
export function bytesRead({ process: { pid } }: Signer): number {
  return Number(/rchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);
}

/** TCP connections that its signing listener still has open. What the kernel alone keeps of one has no inode. */
export function connections({ url }: Signer): number {
  const listening = '0A';
  return socketsAt(url).filter(({ state, inode }) => state !== listening && inode !== '0').length;
}

/** Bytes of answers that the kernel holds for the callers of a listener, because they have not taken them yet. */
export function unreadBytes(url: string): number {
  return socketsAt(url).reduce((sum, { unread }) => sum + unread, 0);
}

function socketsAt(url: string): readonly { state?: string; unread: number; inode?: string }[] {
  const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, '0');
  const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1);
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter(([, local]) => local?.endsWith(`:${port}`))
    .map(([, , , state, queues = '', , , , , inode]) => ({
      ...(state && { state }),
      unread: Number.parseInt(queues, 16),
      ...(inode && { inode }),
    }));
}

function statusOf({ process: { pid } }: Pick<Signer, 'process'>, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return 1024 * Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
}
