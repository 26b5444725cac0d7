/** A server that is measured. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { post } from '../support/exchange.ts';
import { freePort } from '../support/free-port.ts';
import { waitFor } from '../support/signer.ts';

/** How a server is started on a port. It has one process and one thread that answers. */
export type Start = (port: number) => readonly [file: string, args: readonly string[]];

export interface Server extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly port: number;
}

/** Starts a server and waits until it signs; the ones it is compared with do so at any path. */
export async function startServer(start: Start, path: string): Promise<Server> {
  const port = await freePort();
  const server = spawnServer(start, port);
  await waitFor(() => signs(port, path));
  return server;
}

export function spawnServer(start: Start, port: number): Server {
  const [file, args] = start(port);
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const exited = once(child, 'exit');
  return {
    process: child,
    port,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Whether a server is up and has its keys. */
export async function signs(port: number, path: string): Promise<true | undefined> {
  const answer = await post(`http://127.0.0.1:${port}`, path, { message: 'hello' }).catch(() => undefined);
  return answer?.status === 200 || undefined;
}

const ticksPerSecond = 100;

/** User and system time of a server so far, in microseconds (proc_pid_stat(5)); NaN where there is no /proc. */
export function cpuMicros({ process: { pid } }: Server): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return ((Number(fields[11]) + Number(fields[12])) * 1e6) / ticksPerSecond;
  } catch {
    return Number.NaN;
  }
}
