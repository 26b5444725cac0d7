/** The signer itself: puts the parts together, and takes them apart on SIGTERM. */

import type { Hono } from 'hono';
import type { DestinationStream } from 'pino';
import { formatAddress, servedHosts, type TcpAddress } from '../config/address.ts';
import { refuseInjection } from '../config/environment.ts';
import { SettingError } from '../config/setting-error.ts';
import { createApp } from '../http/app.ts';
import { createBodyReader } from '../http/body.ts';
import { createGuard } from '../http/guard.ts';
import { type Listener, listen } from '../http/listen.ts';
import { createOpsApp } from '../http/ops.ts';
import type { KeySet } from '../keys/snapshot.ts';
import type { KeyStore } from '../keys/store.ts';
import { createLog, describeFault, type Log, type LogFields, type LogLevel } from '../log.ts';
import { systemCode, type Volume } from '../secret-volume/index.ts';
import { createSigner } from '../signer.ts';
import { hardenProcess } from './harden.ts';
import { openKeys } from './open-keys.ts';
import { claimSocket, withMode } from './socket.ts';
import { describeStatus } from './status.ts';

export interface ServeOptions {
  readonly keys: readonly string[];
  readonly config?: string;
  readonly listen: TcpAddress | 'none';
  readonly opsListen: TcpAddress | 'none';
  readonly socket?: string;
  readonly socketMode: number;
  readonly allowedHost: readonly string[];
  readonly allowRemote: boolean;
  readonly logLevel: LogLevel;
}

/** Requests that have begun get this long to finish after SIGTERM. */
const graceMs = 5000;

export interface ServeHooks {
  /** Where the log goes instead of standard output. */
  readonly log?: DestinationStream;
  /** Called when the first keys are in use; with the port of the signing listener, if it is a TCP one. */
  readonly ready?: (port: number | undefined) => void;
}

/**
 * Serves until a signal ends it.
 * @throws {SettingError} when it cannot start as it was told to
 */
export async function serve(options: ServeOptions, hooks: ServeHooks = {}): Promise<void> {
  refuseInjection();
  const log = createLog(options.logLevel, hooks.log);
  dieOnFaults(log);
  if (!hardenProcess()) log.warn('core dumps could not be turned off on this system');

  const { store, volumes } = openKeys(options, { onWarning: (warning) => log.warn(warning) });
  let stopping = false;
  const app = createApp({
    snapshot: () => store.current,
    bodies: createBodyReader(),
    signer: createSigner({ now: Date.now, monotonicMs: performance.now.bind(performance) }),
    onFault: (error) => log.error('a request failed by a fault of the signer', describeFault(error)),
  });
  const ops = createOpsApp(() => describeStatus(store.current, volumes, stopping));

  const close = () => Promise.all(volumes.map((volume) => volume.close()));
  const listeners = await openListeners(options, app, ops).catch(async (error) => {
    await close();
    throw error;
  });
  log.info('listening', describeListeners(options, listeners));
  logKeys(log, store, volumes);
  Promise.all(volumes.map((volume) => volume.ready())).then(
    () => hooks.ready?.(listeners.signing?.port),
    () => undefined, // stopped before there were keys
  );

  await untilStopped(() => {
    for (const volume of volumes) volume.refresh();
  });
  stopping = true;
  log.info('stopping');
  await stopListeners(listeners, graceMs);
  await close();
  store.drop();
  log.info('stopped');
}

interface Listeners {
  signing?: Listener;
  socket?: Listener;
  ops?: Listener;
}

/** All of them or none. */
async function openListeners(options: ServeOptions, app: Hono, ops: Hono): Promise<Listeners> {
  const guard = (port: number | undefined) => createGuard(servedHosts(options.allowedHost, port));
  const opened: Listeners = {};
  try {
    if (options.listen !== 'none') {
      const address = options.listen;
      opened.signing = bind('--listen', address, () => listen({ address, guard, handle: app.fetch }));
    }
    if (options.socket !== undefined) {
      const path = options.socket;
      await claimSocket(path);
      opened.socket = bind('--socket', path, () =>
        withMode(path, options.socketMode, () => listen({ address: { path }, guard, handle: app.fetch })),
      );
    }
    if (options.opsListen !== 'none') {
      const address = options.opsListen;
      opened.ops = bind('--ops-listen', address, () => listen({ address, handle: ops.fetch }));
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
      throw new SettingError(
        `${where} is in use; stop the process that listens there, or set another ${flag}`,
      );
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

function logKeys(log: Log, store: KeyStore, volumes: readonly Volume<void>[]): void {
  for (const { directory, onChange, onProblem } of volumes) {
    onProblem(({ problems }) => {
      const consequence = store.current === undefined ? 'not ready' : 'the last good keys stay in use';
      log.warn(`keys not loaded: ${consequence}`, {
        directory,
        problems: problems.map(({ message }) => message),
      });
    });
    onChange(({ added, removed, modified }) => {
      const generation = store.current?.generation ?? 0;
      log.info('keys loaded', { directory, generation, added, removed, modified });
      logCaveats(log, [...(store.current?.keySets.values() ?? [])]);
    });
  }
}

/** What a person should know of keys that are nevertheless in use. */
function logCaveats(log: Log, keySets: readonly KeySet[]): void {
  for (const { name, settings, loaded } of keySets) {
    if (loaded.some(({ weak }) => weak)) {
      log.warn('a weak key is in use, let in by allowWeakKey; replace it', { key: name });
    }
    if ('env' in settings.source) {
      log.warn('a key from the environment is not reloaded; restart the signer to change it', { key: name });
    }
  }
}

/** Nothing of an unforeseen error is printed but its kind and place: its message could hold anything. */
function dieOnFaults(log: Log): void {
  const die = (error: unknown) => {
    log.error('stopping after a fault of the signer', describeFault(error));
    process.exit(1);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
}

/** Resolves on SIGTERM or SIGINT. A hang-up asks for another look at the keys, as is customary. */
function untilStopped(onHangUp: () => void): Promise<void> {
  // Their default would end the process.
  for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGPIPE'] as const) process.on(signal, () => undefined);
  process.on('SIGHUP', onHangUp);
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
}
