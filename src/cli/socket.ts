/** The file of a Unix socket. Replaces the socket of a process that has ended, never that of a running one. */

import { accessSync, chmodSync, constants, lstatSync, type Stats, statSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { callerNameRule } from '../key-sets/settings.ts';
import { systemCode } from '../secret-volume/index.ts';
import { CommandFailure } from './failure.ts';

/**
 * Removes a socket that nobody listens on, as a killed process leaves it.
 * @throws {CommandFailure} if a process listens there, or if something other than a socket is at the path
 */
export async function claimSocket(path: string): Promise<void> {
  const found = look(path);
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new CommandFailure(`${path} exists and is not a socket; choose another --socket`);
  }
  if (await isListening(path)) {
    throw new CommandFailure(`another process listens on ${path}; stop it, or choose another --socket`);
  }
  unlinkSync(path);
}

function look(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    const code = systemCode(error) ?? 'unknown error';
    const problem = directoryProblem(path, code) ?? `${code}; choose another --socket`;
    throw new CommandFailure(`cannot listen on ${path}: ${problem}`);
  }
}

/** Sets the umask while `listen` creates the socket, so that it never has wider permissions than `mode`. */
export function withMode<T>(path: string, mode: number, listen: () => T): T {
  const before = process.umask(0o777 & ~mode);
  try {
    const listener = listen();
    chmodSync(path, mode);
    return listener;
  } finally {
    process.umask(before);
  }
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      const code = systemCode(error);
      if (code === 'ECONNREFUSED' || code === 'ENOENT') resolve(false);
      else
        reject(new CommandFailure(`${path} cannot be used as a socket (${code}); choose another --socket`));
    });
  });
}

/** Why nobody could be reached through a socket, and what to do. The runtime does not tell the reasons apart. */
export function whyNoAnswer(path: string): string {
  const nobody = `no signer answers on ${path}; start one with "sidecar-signer serve --socket ${path}"`;
  try {
    if (!statSync(path).isSocket()) return `${path} is not a socket; give the --socket that serve has`;
    // To connect to a socket is to write to it.
    accessSync(path, constants.W_OK);
    return nobody;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      return `there is no socket at ${path}; give the --socket that serve has`;
    }
    if (code !== 'EACCES') return nobody;
    return `user ${process.geteuid?.()} may not write to the socket ${path}; set --socket-mode, or a common group`;
  }
}

/** Why a socket cannot be created at a path, and what to do; undefined if the directory is not the reason. */
export function directoryProblem(path: string, code: string): string | undefined {
  const directory = dirname(path);
  if (code === 'ENOTDIR') {
    return `${directory} is not a directory, or lies below a file; correct the path`;
  }
  if (code === 'ENOENT') {
    const problem = `the directory ${directory} does not exist; create it, or mount a volume there (Kubernetes: emptyDir)`;
    // `Web=/run/signer.sock`: what cannot be a name belongs to the path.
    return /^[^/]*=/.test(path) ? `${problem}. Before "=", a name has ${callerNameRule}` : problem;
  }
  if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS') return undefined;
  const remedy =
    "Kubernetes: set fsGroup in the pod's securityContext, and do not mount the volume readOnly here; elsewhere: chown or chmod the directory";
  return `${directory} cannot be written to by uid ${process.geteuid?.()} (${code}); ${remedy}`;
}
