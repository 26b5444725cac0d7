/** Asks the system what this process uses. */

import { readdirSync, readFileSync } from 'node:fs';
import type { ProcessUse } from '../ops/process.ts';

export function processUse(startedAt: Date): ProcessUse {
  const { user, system } = process.cpuUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    startedAt,
    residentBytes: process.memoryUsage.rss(),
    // The descriptor with which the directory is read is among them.
    openDescriptors: ifKnown(() => readdirSync('/proc/self/fd').length - 1),
    maxDescriptors: ifKnown(() => {
      const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
      return limit === undefined ? undefined : Number(limit);
    }),
  };
}

/** Other systems have no `/proc`, and it cannot be read while all descriptors are in use. */
function ifKnown(ask: () => number | undefined): number | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}
