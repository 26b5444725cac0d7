/** One request of a command to a running signer. */

import { fstatSync, openSync } from 'node:fs';
import { formatAddress, type TcpAddress } from '../config/address.ts';
import { SettingError } from '../config/setting-error.ts';

/** Where the signer listens: the socket if there is one, else the TCP address. */
export interface Target {
  readonly listen: TcpAddress | 'none';
  readonly socket?: string;
}

/**
 * @returns the JSON answer of a request that succeeded
 * @throws {SettingError} when nobody answers, or the answer is an error: with its detail
 */
export async function call<T>(target: Target, path: string, init: RequestInit = {}): Promise<T> {
  const response = await send(target, path, init);
  const body = (await response.json().catch(() => undefined)) as
    | { detail?: string; code?: string }
    | undefined;
  if (response.ok) return body as T;
  throw new SettingError(
    `${body?.detail ?? 'the answer is not that of a signer'} (${body?.code ?? response.status})`,
  );
}

/** The message of a command: a file's content, or standard input for `-`, streamed. @throws {SettingError} */
export function readMessage(file: string): ReadableStream {
  if (file !== '-') return Bun.file(openFile(file)).stream();
  if (process.stdin.isTTY) process.stderr.write('type the message, then Ctrl-D\n');
  return Bun.stdin.stream();
}

/** The descriptor of a file that can be read. @throws {SettingError} */
function openFile(file: string): number {
  try {
    const descriptor = openSync(file, 'r');
    if (!fstatSync(descriptor).isDirectory()) return descriptor;
  } catch {
    throw new SettingError(`${file} cannot be read; check the path and its permissions`);
  }
  throw new SettingError(`${file} is a directory; give a file, or - for standard input`);
}

/** A request that reached a signer, whatever it answered. @throws {SettingError} when none did */
export async function send({ listen, socket }: Target, path: string, init: RequestInit): Promise<Response> {
  const headers = { ...init.headers, 'sec-signer': '1' };
  if (socket === undefined && listen === 'none')
    throw new SettingError('give --listen HOST:PORT or --socket PATH');
  const where = socket ?? (listen === 'none' ? listen : formatAddress(listen));
  const origin = socket === undefined ? `http://${where}` : 'http://localhost';
  try {
    return await fetch(origin + path, { ...init, headers, ...(socket !== undefined && { unix: socket }) });
  } catch {
    throw new SettingError(`no signer answers on ${where}; start one with "sidecar-signer serve"`);
  }
}
