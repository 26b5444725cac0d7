/** Addresses, host names, file modes, times and switches as the flags write them. */

import { SettingError } from './setting-error.ts';

/** A TCP address as `--listen` and `--ops-listen` take it. */
export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * `HOST:PORT`, `[IPV6]:PORT`, or `none`.
 * @throws {SettingError}
 */
export function parseAddress(text: string): TcpAddress | 'none' {
  if (text === 'none') return text;
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65535) {
    throw new SettingError('expected HOST:PORT, for instance 127.0.0.1:8700, or none');
  }
  return { host, port };
}

/** An octal file mode such as 0660. @throws {SettingError} */
export function parseMode(text: string): number {
  if (!/^0?[0-7]{3}$/.test(text)) throw new SettingError('expected an octal file mode, for instance 0660');
  return Number.parseInt(text, 8);
}

/** Whole seconds, up to an hour. @throws {SettingError} */
export function parseSeconds(text: string): number {
  const seconds = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (seconds <= 3600) return seconds;
  throw new SettingError('expected whole seconds from 0 to 3600, for instance 10');
}

/** A switch with a value, as a variable has to write it. @throws {SettingError} */
export function parseSwitch(text: string): boolean {
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  throw new SettingError('expected true or false');
}

/** Whether only this machine (in a pod: only the pod's own containers) can reach the host. */
export function isLoopback({ host }: TcpAddress): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

export function formatAddress({ host, port }: TcpAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A listener on every address is asked on this machine's own. */
export function reachable({ host, port }: TcpAddress): TcpAddress {
  if (host === '0.0.0.0') return { host: '127.0.0.1', port };
  return host === '::' ? { host: '::1', port } : { host, port };
}

/**
 * The values of `Host` that a listener answers to: its loopback names with the port, and the names that were allowed,
 * with and without it. A Unix socket (no address) answers to the bare names.
 */
export function servedHosts(allowedHosts: readonly string[], address?: TcpAddress): ReadonlySet<string> {
  const loopback = ['127.0.0.1', 'localhost', '[::1]'];
  if (address === undefined) return new Set([...loopback, ...allowedHosts]);
  const { host, port } = address;
  // Another address of 127.0.0.0/8.
  if (isLoopback(address) && !host.includes(':')) loopback.push(host);
  const bare = port === 80 ? loopback : [];
  return new Set([
    ...[...loopback, ...allowedHosts].map((name) => `${name}:${port}`),
    ...bare,
    ...allowedHosts,
  ]);
}
