/** The servers that are measured: the binary, and the two that it is compared with. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import { post } from '../support/exchange.ts';
import { freePort } from '../support/free-port.ts';
import { binary, waitFor } from '../support/signer.ts';

const root = join(import.meta.dirname, '../..');
const baseline = join(import.meta.dirname, 'baseline');

/** How a server is started on a port. */
export type Start = (port: number) => readonly [file: string, args: readonly string[]];

export const signer =
  (keys: string, config?: string): Start =>
  (port) => [
    binary,
    [
      'serve',
      '--keys',
      keys,
      ...(config === undefined ? [] : ['--config', config]),
      '--listen',
      `127.0.0.1:${port}`,
      '--ops-listen',
      'none',
      '--log-level',
      'error',
    ],
  ];

export const nodeHttp: Start = (port) => [process.execPath, [join(baseline, 'node-http.ts'), String(port)]];

/** Compiled as the binary is. */
export function compileBunServe(directory: string): Start {
  const file = join(directory, 'bun-serve');
  const script = packageJson.scripts['build:binary']
    .replace('src/main.ts', join(baseline, 'bun-serve.ts'))
    .replace(/ \S+$/, ` ${file}`);
  const { status, stderr } = spawnSync('npm', ['exec', '--call', script], { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the baseline could not be compiled: ${stderr}`);
  return (port) => [file, [String(port)]];
}

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
