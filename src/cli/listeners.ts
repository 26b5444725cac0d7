/** Opens and closes the listeners that the flags ask for. */

import { isIP } from 'node:net';
import { createGuard } from '../http/guard.ts';
import { type Listener, type ListenOptions, listen } from '../http/listen.ts';
import type { LogFields } from '../ops/log.ts';
import { systemCode } from '../secret-volume/index.ts';
import { formatAddress, servedHosts, type TcpAddress } from './address.ts';
import { CommandFailure } from './failure.ts';
import { claimSocket, withMode } from './socket.ts';

export interface ListenerFlags {
  readonly listen: TcpAddress | 'none';
  readonly opsListen: TcpAddress | 'none';
  readonly socket?: string;
  readonly socketMode: number;
  readonly allowedHost: readonly string[];
}

export interface Listeners {
  signing?: Listener;
  socket?: Listener;
  ops?: Listener;
}

type Handling = Omit<ListenOptions, 'address' | 'guard'>;

/** Opens all listeners or none. @throws {CommandFailure} */
export async function openListeners(
  flags: ListenerFlags,
  signing: Handling,
  ops: Handling,
): Promise<Listeners> {
  const guard = (address: TcpAddress) => createGuard(servedHosts(flags.allowedHost, address));
  const opened: Listeners = {};
  try {
    if (flags.listen !== 'none') {
      const address = flags.listen;
      opened.signing = orListenFailure('--listen', address, () =>
        listen({ ...signing, address, guard: (port = address.port) => guard({ ...address, port }) }),
      );
    }
    if (flags.socket !== undefined) {
      const path = flags.socket;
      await claimSocket(path);
      opened.socket = orListenFailure('--socket', path, () =>
        withMode(path, flags.socketMode, () =>
          listen({ ...signing, address: { path }, guard: () => createGuard() }),
        ),
      );
    }
    if (flags.opsListen !== 'none') {
      const address = flags.opsListen;
      opened.ops = orListenFailure('--ops-listen', address, () => listen({ ...ops, address }));
    }
    return opened;
  } catch (error) {
    await stopListeners(opened, 0);
    throw error;
  }
}

/** @param graceMs how long requests that have begun may take to finish */
export async function stopListeners({ signing, socket, ops }: Listeners, graceMs: number): Promise<void> {
  await Promise.all([signing?.stop(graceMs), socket?.stop(graceMs)]);
  // The ops listener stops last, so that probes see that the signer is stopping.
  await ops?.stop(0);
}

/** The addresses for the log, with the ports that the system has chosen for port 0. */
export function listenerFields({ listen, socket, opsListen }: ListenerFlags, opened: Listeners): LogFields {
  const at = (address: TcpAddress, listener: Listener | undefined) =>
    formatAddress({ ...address, port: listener?.port ?? address.port });
  return {
    ...(listen !== 'none' && { signing: at(listen, opened.signing) }),
    ...(socket && { socket }),
    ...(opsListen !== 'none' && { ops: at(opsListen, opened.ops) }),
  };
}

function orListenFailure(flag: string, address: TcpAddress | string, open: () => Listener): Listener {
  try {
    return open();
  } catch (error) {
    const where = typeof address === 'string' ? address : formatAddress(address);
    const code = systemCode(error) ?? 'unknown error';
    if (code !== 'EADDRINUSE') {
      throw new CommandFailure(`cannot listen on ${where} (${code}); set another ${flag}`);
    }
    // The runtime reports EADDRINUSE also for a name that it cannot resolve.
    const isName = typeof address !== 'string' && isIP(address.host) === 0 && address.host !== 'localhost';
    const what = isName ? 'is in use, or its name cannot be resolved' : 'is in use';
    throw new CommandFailure(`${where} ${what}; stop the process that listens there, or set another ${flag}`);
  }
}
