/** Commands of the README as a shell runs them: in a directory of their own, with the compiled binary on the path. */

import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { binary, temporaryDirectory } from './signer.ts';

export interface Shell extends Disposable {
  readonly directory: string;
  /** Puts a command of this name on the path: a shell script. */
  addCommand(name: string, script: string): void;
  /** Runs to the end, and answers the standard output. @throws when it fails */
  run(command: string): Promise<string>;
}

export function openShell(): Shell {
  const place = temporaryDirectory();
  const directory = join(place.path, 'work');
  const path = join(place.path, 'bin');
  for (const each of [directory, path]) mkdirSync(each);
  symlinkSync(binary, join(path, 'sidecar-signer'));
  const env = { PATH: `${path}:${process.env['PATH']}` };
  return {
    directory,
    addCommand: (name, script) =>
      writeFileSync(join(path, name), `#!/usr/bin/env bash\nset -euo pipefail\n${script}\n`, { mode: 0o755 }),
    // Not synchronously: a blocked client does not notice that the signer closes an idle connection.
    run: async (command) => {
      const args = ['-euo', 'pipefail', '-c', command];
      return (await promisify(execFile)('bash', args, { cwd: directory, env })).stdout;
    },
    [Symbol.dispose]: () => place[Symbol.dispose](),
  };
}
