/**
 * Functions of another process, called over its standard input and output, one line of JSON a call.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

type Functions = Readonly<Record<string, (...args: never[]) => unknown>>;

export type Calls<F> = {
  readonly [K in keyof F]: F[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

export interface Remote<F> {
  readonly process: ChildProcess;
  readonly call: Calls<F>;
  /** All that it printed on standard error. */
  errors(): string;
  /** Ends its input and waits for it to exit by itself; resolves with the exit code. */
  end(): Promise<number | null>;
  kill(): void;
}

export interface RemoteOptions {
  /** A command that runs the rest of its arguments, such as `['unshare', '-m']`. */
  readonly within?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The runtime with its flags. Default: the one that runs the test. */
  readonly runtime?: readonly string[];
}

/** Starts a script that serves the functions. */
export function startRemote<F extends Functions>(
  script: string,
  { within = [], env = {}, runtime = [process.execPath] }: RemoteOptions = {},
): Remote<F> {
  const [command = '', ...args] = [...within, ...runtime, script];
  const child = spawn(command, args, {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let calls = 0;
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  createInterface(child.stdout).on('line', (line) => {
    const { id, value, error } = decode(line) as { id: number; value: unknown; error?: string };
    if (error === undefined) waiting.get(id)?.resolve(value);
    else waiting.get(id)?.reject(new Error(error));
    waiting.delete(id);
  });
  // Not "exit": the last answers may still be in the pipe.
  const exited = once(child, 'close').then(([code]) => {
    for (const { reject } of waiting.values()) reject(new Error(`${script} ended (${code}): ${errors}`));
    return code as number | null;
  });
  child.stdin.on('error', () => undefined);
  const call = (name: string, args: unknown[]) => {
    const answer = Promise.withResolvers<unknown>();
    const id = ++calls;
    waiting.set(id, answer);
    child.stdin.write(`${encode({ id, name, args })}\n`);
    return answer.promise;
  };
  return {
    process: child,
    call: new Proxy({} as Calls<F>, {
      get:
        (_, name: string) =>
        (...args: unknown[]) =>
          call(name, args),
    }),
    errors: () => errors,
    end: () => {
      child.stdin.end();
      return exited;
    },
    kill: () => child.kill('SIGKILL'),
  };
}

/** The other end: answers calls until the input ends, one after the other. */
export async function serveRemote(functions: Functions): Promise<void> {
  for await (const line of createInterface(process.stdin)) {
    const { id, name, args } = decode(line) as { id: number; name: string; args: never[] };
    let answer: object;
    try {
      const called = functions[name];
      if (called === undefined) throw new Error(`no function ${name}`);
      answer = { id, value: await called(...args) };
    } catch (error) {
      answer = { id, error: String(error) };
    }
    process.stdout.write(`${encode(answer)}\n`);
  }
}

/** JSON, with bytes and `undefined` as they are. */
function encode(value: unknown): string {
  return JSON.stringify(value, (_, item) => {
    // A Buffer has become {type, data} before this is called.
    if (item instanceof Uint8Array) return { $base64: Buffer.from(item).toString('base64') };
    if (item?.type === 'Buffer') return { $base64: Buffer.from(item.data).toString('base64') };
    return item;
  });
}

function decode(text: string): unknown {
  return JSON.parse(text, (_, item) =>
    typeof item?.$base64 === 'string' ? new Uint8Array(Buffer.from(item.$base64, 'base64')) : item,
  );
}
