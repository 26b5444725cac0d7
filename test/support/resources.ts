/** What this process holds, as the kernel counts it (Linux). */

import { readdirSync, readFileSync } from 'node:fs';

export interface Resources {
  readonly descriptors: number;
  /** Inotify instances that hold a watch. */
  readonly instances: number;
  readonly watches: number;
  readonly rssBytes: number;
  /** What the runtime's objects take. */
  readonly heapBytes: number;
  /** Read since the start, from files and pipes. */
  readonly readBytes: number;
}

export function resources(): Resources {
  const descriptors = readdirSync('/proc/self/fdinfo').map((name) => {
    try {
      return readFileSync(`/proc/self/fdinfo/${name}`, 'utf8');
    } catch {
      return ''; // the descriptor of the listing itself
    }
  });
  return {
    descriptors: descriptors.length,
    instances: descriptors.filter((info) => info.includes('inotify')).length,
    watches: descriptors.flatMap((info) => info.match(/^inotify wd:/gm) ?? []).length,
    rssBytes: process.memoryUsage.rss(),
    heapBytes: process.memoryUsage().heapUsed,
    readBytes: Number(/^rchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]),
  };
}
