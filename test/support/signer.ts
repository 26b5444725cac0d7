/** A signer in a process of its own: what the tests talk to is what the users run. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** The compiled binary; `test/rings.ts` builds it before the rings that need it. */
export const binary: string = join(root, 'dist/sidecar-signer');

export interface Signer {
  readonly process: ChildProcess;
  /** Origins, such as `http://127.0.0.1:40123`. */
  readonly url: string;
  readonly opsUrl: string;
  /** Everything printed so far, standard error included. */
  output(): string;
  /** Sends a request to the signing listener with what the guard requires. */
  call(path: string, body?: unknown, init?: RequestInit): Promise<Response>;
  /** Waits until `/readyz` says 200. */
  ready(): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
}

/** Starts `serve` on free ports. */
export async function startSigner(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Signer> {
  if (!existsSync(binary)) throw new Error(`${binary} is missing: npm run build:binary`);
  const child = spawn(
    binary,
    ['serve', '--listen', '127.0.0.1:0', '--ops-listen', '127.0.0.1:0', '--log-level', 'info', ...args],
    { cwd: root, env: { PATH: process.env['PATH'] ?? '', ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const line = await waitFor(() => {
    if (child.exitCode !== null) throw new Error(`the signer did not start: ${output}`);
    return output.split('\n').find((each) => each.includes('"msg":"listening"'));
  });
  const { signing, ops } = JSON.parse(line) as { signing: string; ops: string };
  const url = `http://${signing}`;
  const opsUrl = `http://${ops}`;
  return {
    process: child,
    url,
    opsUrl,
    output: () => output,
    call: (path, body, init) => {
      const headers = { 'sec-signer': '1', 'content-type': 'application/json', ...init?.headers };
      const payload = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
      return fetch(url + path, { ...payload, ...init, headers });
    },
    ready: async () => {
      await waitFor(async () => ((await fetch(`${opsUrl}/readyz`)).ok ? true : undefined));
    },
    stop: () => {
      child.kill('SIGTERM');
      return exited;
    },
  };
}

/** Polls until the probe gives a value; for waiting on other processes, which no clock of ours can drive. */
export async function waitFor<T>(
  probe: () => T | undefined | Promise<T | undefined>,
  withinMs = 10_000,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A directory that is removed when the block that declared it with `using` ends. */
export function temporaryDirectory(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'signer-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
