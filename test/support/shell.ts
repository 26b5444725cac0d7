/** Commands of the pages as a shell runs them: in a directory of their own, with the compiled binary on the path. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { binary, temporaryDirectory } from './signer.ts';

export interface Shell extends Disposable {
  readonly directory: string;
  /** Puts a command of this name on the path: a shell script. */
  addCommand(name: string, script: string): void;
  /** Runs to the end, and answers the standard output. @throws when it fails */
  run(command: string): Promise<string>;
  /** Starts a program in the background. Whoever starts it stops it. */
  start(command: string): ChildProcess;
}

/** @param env variables in addition to the usual ones */
export function openShell(env: Readonly<Record<string, string>> = {}): Shell {
  const place = temporaryDirectory();
  const directory = join(place.path, 'work');
  const path = join(place.path, 'bin');
  for (const each of [directory, path]) mkdirSync(each);
  symlinkSync(binary, join(path, 'sidecar-signer'));
  const { HOME = '/', PATH = '' } = process.env;
  // The Node of the project, which may not be the one of the machine.
  const all = { HOME, PATH: [path, dirname(process.execPath), PATH].join(':'), ...env };
  return {
    directory,
    addCommand: (name, script) =>
      writeFileSync(join(path, name), `#!/usr/bin/env bash\nset -euo pipefail\n${script}\n`, { mode: 0o755 }),
    // Not synchronously: a blocked client does not notice that the signer closes an idle connection.
    run: async (command) => {
      const args = ['--norc', '-euo', 'pipefail', '-c', command];
      return (await promisify(execFile)('bash', args, { cwd: directory, env: all })).stdout;
    },
    start: (command) =>
      spawn('bash', ['-c', `exec ${command}`], { cwd: directory, env: all, stdio: 'ignore' }),
    [Symbol.dispose]: () => place[Symbol.dispose](),
  };
}
