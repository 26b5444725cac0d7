/** What the kernel tells of another process (Linux). */

import { existsSync, readFileSync } from 'node:fs';

/** Whether this system has `/proc`. */
export const hasProc: boolean = existsSync('/proc/self/status');

/** Private memory in KiB: what the process itself has allocated, without the pages of its file. */
export function privateMemoryKiB(pid: number | undefined): number {
  const match = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (match === null) throw new Error(`no RssAnon of process ${pid}`);
  return Number(match[1]);
}
