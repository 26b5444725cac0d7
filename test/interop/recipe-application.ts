/** The applications of docs/recipes/, each made and started by following its page from the top. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type CodeBlock, page } from '../support/docs.ts';
import { freePort } from '../support/free-port.ts';
import { binary, type Signer, startSigner, waitFor } from '../support/signer.ts';

const root = join(import.meta.dirname, '../..');

export interface Application extends AsyncDisposable {
  /** Such as `http://127.0.0.1:40123`. */
  readonly origin: string;
  readonly signer: Signer;
  /** Where the page was followed. */
  readonly directory: string;
}

/** A directory in which the packages are found that the pages install: our client, and all of clients/. */
export function openWorkshop(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(import.meta.dirname, 'clients/generated-'));
  const client = join(path, 'node_modules/sidecar-signer');
  mkdirSync(client, { recursive: true });
  copyFileSync(join(root, 'package.json'), join(client, 'package.json'));
  succeed(
    spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', join(root, 'src'), '--outDir', `${client}/dist`]),
  );
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, maxRetries: 5 }) };
}

/** The interpreters of this machine that have the framework: the first `python3`, and that of the system's packages. */
export function pythonsWith(framework: string): readonly { version: string; executable: string }[] {
  const program = `import sys, importlib.metadata as m; print(m.version("${framework}"), sys.executable)`;
  const found = ['python3', '/usr/bin/python3'].flatMap((python) => {
    const { status, stdout } = spawnSync(python, ['-c', program], { encoding: 'utf8' });
    return status === 0 ? [stdout.trim()] : [];
  });
  return [...new Set(found)].map((line) => {
    const [version = '', executable = ''] = line.split(' ');
    return { version, executable };
  });
}

/**
 * @param workshop its path
 * @param python the interpreter that the page calls `python3`
 */
export async function startApplication(
  workshop: string,
  name: string,
  python?: string,
): Promise<Application> {
  const directory = mkdtempSync(join(workshop, `${name}-`));
  const commands = mkdtempSync(join(workshop, 'commands-'));
  symlinkSync(binary, join(commands, 'sidecar-signer'));
  if (python !== undefined) {
    writeFileSync(join(commands, 'python3'), `#!/bin/sh\nexec ${python} "$@"\n`, { mode: 0o755 });
  }
  // What `npm install` writes.
  writeFileSync(join(directory, 'package.json'), '{}');
  const port = `${await freePort()}`;
  const { HOME = '/', PATH = '' } = process.env;
  // The Node of the project, which may not be the one of the machine.
  const path = [commands, dirname(process.execPath), PATH].join(':');
  const env = { HOME, PATH: path, PORT: port, NEXT_TELEMETRY_DISABLED: '1' };
  let output = '';
  let signer: Signer | undefined;
  let app: ChildProcess | undefined;

  const run = (command: string) =>
    succeed(spawnSync('bash', ['--norc', '-euo', 'pipefail', '-c', command], { cwd: directory, env }));
  const start = (command: string) => {
    // In a group of its own, since some of the commands start other programs.
    const started = spawn('bash', ['--norc', '-c', command], {
      cwd: directory,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    app = started;
    for (const stream of [started.stdout, started.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
      });
    }
  };
  const follow = async ({ language, code, file }: CodeBlock) => {
    const added = /^# at the end of (\S+)\n/.exec(code)?.[1];
    if (file !== undefined) {
      mkdirSync(dirname(join(directory, file)), { recursive: true });
      writeFileSync(join(directory, file), code);
    } else if (added !== undefined) {
      appendFileSync(join(directory, added), code);
    } else if (code.startsWith('sidecar-signer serve ')) {
      const args = code.replaceAll(' \\\n', ' ').trim().split(/\s+/).slice(2);
      signer = await startSigner(args, {}, { cwd: directory });
      await signer.ready();
    } else if (language === 'sh') {
      run(code);
    } else if (language === 'console') {
      for (const [, command = ''] of code.matchAll(/^\$ (.*)/gm)) {
        if (command.startsWith('SIGNER_SOCKET=')) start(command.replaceAll('8080', port));
        else if (!/^(?:npm|pip) install /.test(command)) run(command);
      }
    }
  };

  const stop = async () => {
    if (app?.pid !== undefined && app.exitCode === null) {
      const ended = once(app, 'close');
      process.kill(-app.pid, 'SIGKILL');
      await ended;
    }
    await signer?.[Symbol.asyncDispose]();
  };

  // The client that the pages on Python tell the reader to copy.
  const copied = python === undefined ? [] : page('docs/languages/python.md').blocksUnder('The client');
  const origin = `http://127.0.0.1:${port}`;
  try {
    for (const block of [...copied, ...page(`docs/recipes/${name}.md`).blocks]) await follow(block);
    await waitFor(() => {
      if (app?.exitCode !== null) throw new Error(`the application did not start: ${output}`);
      return fetch(origin).then(
        () => true,
        () => undefined,
      );
    });
    if (signer === undefined) throw new Error('the page starts no signer');
    return { origin, signer, directory, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function succeed({ status, error, stdout, stderr }: ReturnType<typeof spawnSync>): void {
  if (status !== 0) throw error ?? new Error(`${stdout}${stderr}`);
}
