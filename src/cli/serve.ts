/** The signer itself: puts the parts together, and takes them apart on SIGTERM. */

import { isIP } from 'node:net';
import { createApp } from '../http/app.ts';
import { createBodyReader } from '../http/body.ts';
import { createGuard } from '../http/guard.ts';
import { type Listener, type ListenOptions, listen } from '../http/listen.ts';
import { type MountedKeys, type MountedKeysEvents, problemsOf } from '../key-sets/mounted.ts';
import {
  createLog,
  describeFault,
  type Log,
  type LogFields,
  type LogLevel,
  type LogOutput,
} from '../ops/log.ts';
import { createCounters, describeMetrics } from '../ops/metrics.ts';
import { createOpsApp } from '../ops/routes.ts';
import { describeStatus } from '../ops/status.ts';
import { systemCode } from '../secret-volume/index.ts';
import { createSigner } from '../signer.ts';
import { systemClocks } from '../signing/clocks.ts';
import { formatAddress, servedHosts, type TcpAddress } from './address.ts';
import { hardenProcess } from './harden.ts';
import { openKeys } from './open-keys.ts';
import { standardOutput } from './output.ts';
import { SettingError } from './setting-error.ts';
import { claimSocket, withMode } from './socket.ts';

export interface ServeOptions {
  readonly keys: readonly string[];
  readonly config?: string;
  readonly listen: TcpAddress | 'none';
  readonly opsListen: TcpAddress | 'none';
  readonly socket?: string;
  readonly socketMode: number;
  readonly allowedHost: readonly string[];
  readonly allowRemote: boolean;
  /** Seconds. */
  readonly shutdownDelay: number;
  readonly logLevel: LogLevel;
}

/** What `randomBytes` answers, at a tenth of its cost. */
const unpredictable = (size: number) => crypto.getRandomValues(Buffer.allocUnsafe(size));

/** Requests that have begun get this long to finish after SIGTERM. */
const graceMs = 5000;

/** How long after the first keys what start-up has left in memory is cleared away. */
const settledMs = 1000;

export interface ServeHooks {
  /** Where the log goes instead of standard output. */
  readonly log?: LogOutput;
  /** Called when the first keys are in use; with the port of the signing listener, if it is a TCP one. */
  readonly ready?: (port: number | undefined) => void;
}

/**
 * Serves until a signal ends it.
 * @throws {SettingError} when it cannot start as it was told to
 */
export async function serve(options: ServeOptions, hooks: ServeHooks = {}): Promise<void> {
  // Before anything else, so that a signal while it starts ends it in order as well.
  const stopped = untilStopped();
  const log = createLog(options.logLevel, hooks.log ?? standardOutput());
  dieOnFaults(log);
  if (!hardenProcess()) log.warn('core dumps could not be turned off on this system');

  const firstKeys = Promise.withResolvers<void>();
  const keys = openKeys(options, {
    events: reportKeys(log, () => keys, firstKeys.resolve),
  });
  const { store } = keys;
  let stopping = false;
  const counters = createCounters();
  const onFault = (error: unknown) =>
    log.error('a request failed by a fault of the signer', describeFault(error));
  const api = createApp({
    snapshot: () => store.current,
    bodies: createBodyReader(),
    signer: createSigner({ ...systemClocks, random: unpredictable }),
    onOperation: counters.operation,
    onFault,
  });
  const status = () => describeStatus(store.current, keys.mounts, stopping);
  const metrics = () => describeMetrics(status(), counters);
  const ops = createOpsApp({ status, metrics, onFault });

  const listeners = await openListeners(
    options,
    { handle: api, onFault, onAnswer: counters.answer },
    { handle: ops.fetch, onFault },
  ).catch(async (error) => {
    await keys.close();
    throw error;
  });
  log.info('listening', describeListeners(options, listeners));
  void firstKeys.promise.then(() => {
    hooks.ready?.(listeners.signing?.port);
    // Frees what start-up has left, a sixth of an idle signer's memory. The runtime would keep it.
    setTimeout(Bun.shrink, settledMs);
  });

  process.on('SIGHUP', () => {
    for (const { volume } of keys.mounts) volume.refresh();
  });
  await stopped;
  stopping = true;
  log.info('stopping');
  // Containers of a pod are told to stop at the same time, and a neighbour may have requests to finish.
  await Bun.sleep(options.shutdownDelay * 1000);
  await stopListeners(listeners, graceMs);
  await keys.close();
  store.drop();
  log.info('stopped');
  await log.end();
  // A line that nobody reads would keep the process alive.
  process.exit();
}

interface Listeners {
  signing?: Listener;
  socket?: Listener;
  ops?: Listener;
}

/** All of them or none. */
async function openListeners(
  options: ServeOptions,
  signing: Omit<ListenOptions, 'address'>,
  ops: Omit<ListenOptions, 'address'>,
): Promise<Listeners> {
  const guard = (address?: TcpAddress) => createGuard(servedHosts(options.allowedHost, address));
  const opened: Listeners = {};
  try {
    if (options.listen !== 'none') {
      const address = options.listen;
      opened.signing = bind('--listen', address, () =>
        listen({ ...signing, address, guard: (port = address.port) => guard({ ...address, port }) }),
      );
    }
    if (options.socket !== undefined) {
      const path = options.socket;
      await claimSocket(path);
      opened.socket = bind('--socket', path, () =>
        withMode(path, options.socketMode, () =>
          listen({ ...signing, address: { path }, guard: () => guard() }),
        ),
      );
    }
    if (options.opsListen !== 'none') {
      const address = options.opsListen;
      opened.ops = bind('--ops-listen', address, () => listen({ ...ops, address }));
    }
    return opened;
  } catch (error) {
    await stopListeners(opened, 0);
    throw error;
  }
}

async function stopListeners({ signing, socket, ops }: Listeners, graceMs: number): Promise<void> {
  await Promise.all([signing?.stop(graceMs), socket?.stop(graceMs)]);
  // Last, so that probes can see the signer stop.
  await ops?.stop(0);
}

function bind(flag: string, address: TcpAddress | string, open: () => Listener): Listener {
  try {
    return open();
  } catch (error) {
    if (error instanceof SettingError) throw error;
    const where = typeof address === 'string' ? address : formatAddress(address);
    const code = systemCode(error) ?? 'unknown error';
    if (code === 'EADDRINUSE') {
      // The runtime says the same of a name that it cannot resolve.
      const named = typeof address !== 'string' && isIP(address.host) === 0 && address.host !== 'localhost';
      const what = named ? 'is in use, or not a name of this machine' : 'is in use';
      throw new SettingError(`${where} ${what}; stop the process that listens there, or set another ${flag}`);
    }
    throw new SettingError(`cannot listen on ${where} (${code}); set another ${flag}`);
  }
}

function describeListeners({ listen, socket, opsListen }: ServeOptions, opened: Listeners): LogFields {
  const at = (address: TcpAddress, listener: Listener | undefined) =>
    formatAddress({ ...address, port: listener?.port ?? address.port });
  return {
    ...(listen !== 'none' && { signing: at(listen, opened.signing) }),
    ...(socket && { socket }),
    ...(opsListen !== 'none' && { ops: at(opsListen, opened.ops) }),
  };
}

/** @param onFirst called when the first keys are in use */
function reportKeys(log: Log, keys: () => MountedKeys, onFirst: () => void): MountedKeysEvents {
  return {
    leftOut: (warning) => log.warn(warning),
    refused: (mount) => {
      const consequence = keys().store.current === undefined ? 'not ready' : 'the last good keys stay in use';
      log.warn(`keys not loaded: ${consequence}`, {
        directory: mount.volume.directory,
        problems: problemsOf(mount).map(({ message }) => message),
      });
    },
    warning: ({ volume: { directory } }, { code, message }) => {
      // Plain files are as good as any on a developer's machine.
      if (code === 'plain_layout') log.info(message, { directory });
      else log.warn(message, { directory });
    },
    accepted: ({ volume: { directory } }, changes) => {
      const { current } = keys().store;
      if (current === undefined) {
        return log.info('read, and waiting for the other directories or the configuration', { directory });
      }
      const { generation, keySets } = current;
      log.info('keys loaded', { directory, generation, ...changes });
      for (const { name, warnings } of keySets.values()) {
        for (const warning of warnings) log.warn(`a key set ${warning}`, { key: name });
      }
      onFirst();
    },
  };
}

/** Nothing of an unforeseen error is printed but its kind and place: its message could hold anything. */
function dieOnFaults(log: Log): void {
  const die = (error: unknown) => {
    log.error('stopping after a fault of the signer', describeFault(error));
    void log.end().then(() => process.exit(1));
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
}

/** Resolves on SIGTERM or SIGINT. */
function untilStopped(): Promise<void> {
  // Their default would end the process.
  for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGPIPE'] as const)
    process.on(signal, () => undefined);
  return new Promise((resolve) => {
    // Told once more, it still stops in order: without a listener the signal would end it at once.
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve());
  });
}
