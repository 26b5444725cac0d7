/** Opens and closes the listeners that the flags ask for. */

import { isIP } from 'node:net';
import type { Status } from '../api/status.ts';
import { createGuard } from '../http/guard.ts';
import { type Listener, type ListenOptions, listen } from '../http/listen.ts';
import { createOpsGuard } from '../ops/guard.ts';
import { systemCode } from '../secret-volume/index.ts';
import {
  formatAddress,
  formatSocket,
  type SocketAddress,
  servedHosts,
  type TcpAddress,
  tcpCaller,
} from './address.ts';
import { CommandFailure } from './failure.ts';
import { limitSendBuffers } from './harden.ts';
import { claimSocket, directoryProblem, withMode } from './socket.ts';

export interface ListenerFlags {
  readonly listen: TcpAddress | 'none';
  readonly opsListen: TcpAddress | 'none';
  readonly socket?: readonly SocketAddress[];
  readonly socketMode: number;
  readonly allowedHost: readonly string[];
  readonly opsAllowedHost: readonly string[];
}

interface TcpListener extends Listener {
  /** Its address, with the port that the system has chosen for port 0. */
  readonly at: string;
}

/** Of a TCP address there may be two listeners, with the same port; see `beside`. */
export interface Listeners {
  signing: readonly TcpListener[];
  readonly sockets: Listener[];
  ops: readonly TcpListener[];
}

type Handling = Omit<ListenOptions, 'address' | 'guard'>;

/** How often to look for a port that is free on both loopback addresses. */
const maxAttempts = 16;

/** The names of the callers that the listeners let in. */
export function callersOf({
  listen,
  socket = [],
}: Pick<ListenerFlags, 'listen' | 'socket'>): readonly string[] {
  return [...(listen === 'none' ? [] : [tcpCaller]), ...socket.map(({ caller }) => caller)];
}

/**
 * Opens all listeners or none.
 * @param signing called once with the name of each caller: whoever comes in through that listener
 * @throws {CommandFailure}
 */
export async function openListeners(
  flags: ListenerFlags,
  signing: (caller: string) => Handling,
  ops: Handling,
): Promise<Listeners> {
  const guard = (address: TcpAddress) => createGuard(servedHosts(flags.allowedHost, address));
  const opened: Listeners = { signing: [], sockets: [], ops: [] };
  try {
    if (flags.listen !== 'none') {
      const { host } = flags.listen;
      // Both addresses of TCP are one caller.
      const handling = signing(tcpCaller);
      opened.signing = await openTcp('--listen', flags.listen, (address) =>
        listen({ ...handling, address, guard: (port = address.port) => guard({ host, port }) }),
      );
    }
    for (const { path, caller } of flags.socket ?? []) {
      await claimSocket(path);
      const listener = orListenFailure('--socket', path, () =>
        withMode(path, flags.socketMode, () =>
          listen({ ...signing(caller), address: { path }, guard: () => createGuard() }),
        ),
      );
      opened.sockets.push(listener);
    }
    if (flags.opsListen !== 'none') {
      const opsGuard = createOpsGuard(flags.opsAllowedHost);
      opened.ops = await openTcp('--ops-listen', flags.opsListen, (address) =>
        listen({ ...ops, address, guard: () => opsGuard, closesEach: true }),
      );
    }
    limitSendBuffers();
    return opened;
  } catch (error) {
    await stopListeners(opened, 0);
    throw error;
  }
}

/** @param graceMs how long requests that have begun may take to finish */
export async function stopListeners({ signing, sockets, ops }: Listeners, graceMs: number): Promise<void> {
  await Promise.all([...signing, ...sockets].map((each) => each.stop(graceMs)));
  // The ops listener stops last, so that probes see that the signer is stopping.
  await Promise.all(ops.map((each) => each.stop(0)));
}

export interface ListenerFields {
  readonly signing?: string;
  readonly sockets?: readonly string[];
  readonly ops?: string;
  readonly also?: readonly string[];
}

/** The addresses for the log. */
export function listenerFields({ socket = [] }: ListenerFlags, opened: Listeners): ListenerFields {
  const [signing, ...signingToo] = opened.signing;
  const [ops, ...opsToo] = opened.ops;
  const also = [...signingToo, ...opsToo].map(({ at }) => at);
  return {
    ...(signing && { signing: signing.at }),
    ...(socket.length > 0 && { sockets: socket.map(formatSocket) }),
    ...(ops && { ops: ops.at }),
    ...(also.length > 0 && { also }),
  };
}

/** The addresses for the status. */
export function listenerStatus(
  { socket = [] }: ListenerFlags,
  { signing, ops }: Listeners,
): Pick<Status, 'listeners' | 'ops'> {
  const addresses = (opened: readonly TcpListener[]) => opened.map(({ at }) => at);
  return {
    listeners: [
      ...(signing.length > 0 ? [{ caller: tcpCaller, addresses: addresses(signing) }] : []),
      ...socket.map(({ caller, path }) => ({ caller, addresses: [path] })),
    ],
    ops: addresses(ops),
  };
}

/**
 * The other address that `localhost` may lead to. The signer takes the port there, too, so that nobody else can answer
 * callers that use this name.
 */
function beside(host: string): string | undefined {
  if (host === '::1') return '127.0.0.1';
  return host === '127.0.0.1' || host === 'localhost' || host === '0.0.0.0' ? '::1' : undefined;
}

/** @throws {CommandFailure} */
async function openTcp(
  flag: string,
  address: TcpAddress,
  listenAt: (address: TcpAddress) => Listener,
): Promise<readonly TcpListener[]> {
  const open = ({ host, port }: TcpAddress): TcpListener => {
    const listener = listenAt({ host: host === 'localhost' ? '127.0.0.1' : host, port });
    return { ...listener, at: formatAddress({ host, port: listener.port ?? port }) };
  };
  const other = beside(address.host);
  for (let attempt = 1; ; attempt++) {
    const first = orListenFailure(flag, address, () => open(address));
    if (other === undefined) return [first];
    const second = { host: other, port: first.port ?? address.port };
    try {
      return [first, open(second)];
    } catch (error) {
      const code = systemCode(error);
      // A machine or a container without IPv6.
      if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT') return [first];
      await first.stop(0);
      // The system chose a port that is free on the first address only.
      if (code === 'EADDRINUSE' && address.port === 0 && attempt < maxAttempts) continue;
      throw listenFailure(flag, second, error, '; localhost can mean this address, too');
    }
  }
}

function orListenFailure<T>(flag: string, address: TcpAddress | string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw listenFailure(flag, address, error);
  }
}

/** @param why a further clause of the message */
function listenFailure(flag: string, address: TcpAddress | string, error: unknown, why = ''): CommandFailure {
  const where = typeof address === 'string' ? address : formatAddress(address);
  const code = systemCode(error) ?? 'unknown error';
  const problem = typeof address === 'string' ? directoryProblem(address, code) : undefined;
  if (problem !== undefined) return new CommandFailure(`cannot listen on ${where}: ${problem}`);
  if (code === 'EACCES' && typeof address !== 'string' && address.port < 1024) {
    const rule = 'ports below 1024 need root or CAP_NET_BIND_SERVICE';
    return new CommandFailure(`cannot listen on ${where} (${code}): ${rule}; set another ${flag}${why}`);
  }
  if (code !== 'EADDRINUSE') {
    return new CommandFailure(`cannot listen on ${where} (${code}); set another ${flag}${why}`);
  }
  // The runtime reports EADDRINUSE also for a name that it cannot resolve.
  const isName = typeof address !== 'string' && isIP(address.host) === 0 && address.host !== 'localhost';
  const what = isName ? 'is in use, or its name cannot be resolved' : 'is in use';
  return new CommandFailure(
    `${where} ${what}; stop the process that listens there, or set another ${flag}${why}`,
  );
}
