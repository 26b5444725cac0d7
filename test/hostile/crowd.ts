/** Many connections at once. They end with the test, at the latest. */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect } from 'vitest';
import { only } from './arena.ts';
import { type Door, type Exchange, open, parseAnswers, request } from './wire.ts';

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

/** How many files this process may open. */
export const maxOpenFiles = Number(
  /Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1],
);

export function connection(to: Door): Socket {
  const socket = open(to);
  sockets.push(socket);
  return socket;
}

export async function connected(to: Door, count: number): Promise<readonly Socket[]> {
  const opened: Socket[] = [];
  while (opened.length < count) {
    // Not faster than they are accepted: the kernel drops or refuses what does not fit into its queue.
    const some = Array.from({ length: Math.min(100, count - opened.length) }, () => connection(to));
    const connecting = await Promise.allSettled(some.map((socket) => once(socket, 'connect')));
    opened.push(...some.filter((_, index) => connecting[index]?.status === 'fulfilled'));
    if (connecting.some(({ status }) => status === 'rejected')) await delay(10);
  }
  return opened;
}

/**
 * Another caller, with a connection that it keeps, and opens anew when the signer has closed it.
 * @returns what signs once more
 */
export async function callAgain(to: Door): Promise<() => Promise<Exchange>> {
  const opened = async () => {
    const [socket] = await connected(to, 1);
    // Only a socket that is read notices that it has been closed.
    return socket?.resume();
  };
  let socket = await opened();
  return async () => {
    const started = performance.now();
    for (;;) {
      if (socket === undefined || socket.readyState !== 'open') socket = await opened();
      const answered = Promise.race([once(socket as Socket, 'data'), once(socket as Socket, 'close')]);
      socket?.write(request(to));
      const [bytes] = await answered;
      // It was closed while it was idle, as every client must expect.
      if (!(bytes instanceof Buffer)) continue;
      const answers = parseAnswers(bytes);
      const closed = answers.some(({ headers }) => headers.get('connection') === 'close');
      if (closed) socket = undefined;
      return { bytes, answers, closed, elapsedMs: performance.now() - started };
    }
  };
}

/** Another caller is served meanwhile. */
export async function expectServed(call: () => Promise<Exchange>): Promise<void> {
  const times: number[] = [];
  for (let round = 0; round < 101; round++) {
    const done = await call();
    expect([200, 503]).toContain(only(done).status);
    times.push(done.elapsedMs);
  }
  times.sort((one, other) => one - other);
  expect(times[50]).toBeLessThan(50);
  // Nobody starves; this leaves room for a busy machine, and for a connection that the kernel makes wait.
  expect(times[100]).toBeLessThan(3000);
}
