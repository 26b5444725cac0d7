/** Addresses of listeners, and the host names under which they are called. */

import { InvalidArgumentError } from 'commander';
import { socketPathProblem } from '../api/socket-path.ts';
import { isCallerName } from '../key-sets/settings.ts';

/** A TCP address, as in `--listen` and `--ops-listen`. */
export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * `HOST:PORT`, `[IPV6]:PORT`, or `none`.
 * @throws {InvalidArgumentError}
 */
export function parseAddress(text: string): TcpAddress | 'none' {
  if (text === 'none') return text;
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65535) {
    throw new InvalidArgumentError('expected HOST:PORT, for instance 127.0.0.1:8700, or none');
  }
  return { host, port };
}

/** A Unix socket, as in `--socket`. */
export interface SocketAddress {
  readonly path: string;
  /** The name of whoever comes in through it. */
  readonly caller: string;
  /** Whether the name was given. */
  readonly isNamed: boolean;
}

/** The caller that comes in over TCP. */
export const tcpCaller = 'tcp';
const unnamedCaller = 'socket';

/** `PATH` or `NAME=PATH`. What stands before `=` belongs to the path if it cannot be a name. @throws {InvalidArgumentError} */
export function parseSocket(text: string): SocketAddress {
  const [name = ''] = text.split('=', 1);
  if (text.startsWith('=')) {
    throw new InvalidArgumentError(
      'the name before "=" is missing; write NAME=PATH, or ./=name for a name that begins with =',
    );
  }
  const isNamed = name !== text && isCallerName(name);
  const path = isNamed ? text.slice(name.length + 1) : text;
  const problem = socketPathProblem(path);
  if (problem !== undefined) throw new InvalidArgumentError(problem);
  if (isNamed && name === tcpCaller) {
    throw new InvalidArgumentError(`the name "${tcpCaller}" belongs to --listen; choose another name`);
  }
  return { path, caller: isNamed ? name : unnamedCaller, isNamed };
}

/** As it is written in `--socket`. */
export function formatSocket({ path, caller, isNamed }: SocketAddress): string {
  return isNamed ? `${caller}=${path}` : path;
}

/** Whether only this machine can reach the host. In a pod, these are the containers of the pod. */
export function isLoopback({ host }: TcpAddress): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

export function formatAddress({ host, port }: TcpAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The address at which to call a listener. One that listens on all addresses is called on the loopback. */
export function reachable({ host, port }: TcpAddress): TcpAddress {
  if (host === '0.0.0.0') return { host: '127.0.0.1', port };
  return host === '::' ? { host: '::1', port } : { host, port };
}

/**
 * The values of the `Host` header that a TCP listener accepts: loopback names with the port, and the allowed hosts with and
 * without it.
 */
export function servedHosts(allowedHosts: readonly string[], address: TcpAddress): ReadonlySet<string> {
  const loopback = ['127.0.0.1', 'localhost', '[::1]'];
  const { host, port } = address;
  // Another IPv4 loopback address, such as 127.0.0.2.
  if (isLoopback(address) && !host.includes(':')) loopback.push(host);
  const names = [...loopback, ...allowedHosts];
  // Clients leave out the default port of HTTP.
  return new Set([...names.map((name) => `${name}:${port}`), ...(port === 80 ? names : allowedHosts)]);
}
