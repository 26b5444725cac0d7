/** The file of a Unix socket: claimed from a dead process, never from a live one, and with its mode from the start. */

import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { systemCode } from '../secret-volume/index.ts';
import { SettingError } from './setting-error.ts';

/**
 * Makes the path free to listen on. A socket that nobody answers is what a killed process left behind.
 * @throws {SettingError} when a live process listens there, or something other than a socket is in the way
 */
export async function claimSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket())
    throw new SettingError(`${path} exists and is not a socket; choose another --socket`);
  if (await answers(path))
    throw new SettingError(`another process listens on ${path}; stop it, or choose another --socket`);
  unlinkSync(path);
}

/** Runs `listen`, which creates the socket, so that its file never has a wider mode than this one. */
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

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      if (systemCode(error) === 'ECONNREFUSED' || systemCode(error) === 'ENOENT') resolve(false);
      else reject(new SettingError(`${path} cannot be used as a socket: ${systemCode(error)}`));
    });
  });
}
