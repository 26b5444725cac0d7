/** A signer in a process of its own: what the tests talk to is what the users run. */

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** The compiled binary; test/support/build-binary.ts builds it before the suites that need it. */
export const binary: string = join(root, 'dist/sidecar-signer');

/** Killed when the block that declared it with `await using` ends. */
export interface Signer extends AsyncDisposable {
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

export interface StartOptions extends Pick<SpawnOptions, 'cwd' | 'uid' | 'gid'> {
  /** Another copy of the binary. */
  readonly file?: string;
  /** A command that runs the binary, and becomes it: its process is the signer's. */
  readonly wrapper?: readonly string[];
}

/** Starts `serve` on free ports. */
export async function startSigner(
  args: readonly string[],
  env: Record<string, string> = {},
  { file = binary, wrapper = [], ...options }: StartOptions = {},
): Promise<Signer> {
  if (!existsSync(file)) throw new Error(`${file} is missing: npm run build:binary`);
  const [command = file, ...rest] = [...wrapper, file];
  const child = spawn(
    command,
    [
      ...rest,
      'serve',
      '--listen',
      '127.0.0.1:0',
      '--ops-listen',
      '127.0.0.1:0',
      '--log-level',
      'info',
      ...args,
    ],
    {
      cwd: root,
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    },
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
      await waitFor(async () => ((await fetch(`${opsUrl}/readyz`)).ok ? true : undefined), 30_000);
    },
    stop: () => {
      child.kill('SIGTERM');
      return exited;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Polls until the probe gives a value; for waiting on other processes, which no clock of ours can drive. */
export async function waitFor<T>(
  probe: () => T | undefined | Promise<T | undefined>,
  withinMs = 30_000,
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
