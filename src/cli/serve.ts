/** `sidecar-signer serve`: creates the parts of the signer, connects them, and stops them on SIGTERM. */

import { createApp } from '../http/app.ts';
import { createBodyReader, defaultBodyLimits } from '../http/body.ts';
import { createBodyShares } from '../http/body-shares.ts';
import { createCounters } from '../ops/counters.ts';
import { createLog, describeFault, type Log, type LogFormat, type LogLevel } from '../ops/log.ts';
import { formatMetrics, signerMetrics } from '../ops/metrics.ts';
import { processMetrics } from '../ops/process.ts';
import { createOpsApp } from '../ops/routes.ts';
import { describeStatus, isReady, version } from '../ops/status.ts';
import { createSigner } from '../signer.ts';
import { systemClocks } from '../signing/clocks.ts';
import { createAfterLoad } from './after-load.ts';
import { refuseSocketsAmongKeys } from './among-keys.ts';
import { type AuditFlags, keepAudit } from './audit/keep.ts';
import { hardenProcess } from './harden.ts';
import {
  callersOf,
  type ListenerFlags,
  listenerFields,
  listenerStatus,
  openListeners,
  stopListeners,
} from './listeners.ts';
import { logKeyEvents } from './log-keys.ts';
import { logRequests } from './log-requests.ts';
import { type KeyOptions, openKeys } from './open-keys.ts';
import { openLogOutput } from './output.ts';
import { processUse } from './process.ts';

export interface ServeOptions extends KeyOptions, ListenerFlags, AuditFlags {
  readonly allowRemote: boolean;
  /** Seconds. */
  readonly shutdownDelay: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

/** As unpredictable as `randomBytes`, at a tenth of its cost. */
const random = (size: number) => crypto.getRandomValues(Buffer.allocUnsafe(size));

/** How long requests that have begun may take to finish after SIGTERM. */
const graceMs = 5000;

/** How many milliseconds after the first keys are loaded to free the memory that only start-up needed. */
const settledMs = 1000;

export interface ServeHooks {
  /** Called when the first keys are in use. The port is that of the signing listener, if it is a TCP one. */
  readonly ready?: (port: number | undefined) => void;
}

/**
 * Serves until a signal ends the process.
 * @throws {CommandFailure} if it cannot start with these options
 */
export async function serve(options: ServeOptions, hooks: ServeHooks = {}): Promise<void> {
  const startedAt = new Date();
  // Handle signals first, so that one that comes during the start also stops the signer gracefully.
  const stopped = untilStopped();
  const log: Log = createLog(options.logLevel, await openLogOutput(options.logFormat));
  exitOnFaults(log);
  log.info('starting', { version });
  if (!hardenProcess())
    log.warn(
      'the process could not be hardened on this system: core dumps, memory access or the limit of descriptors',
    );

  refuseSocketsAmongKeys(options.socket ?? [], options);
  const audit = keepAudit(options, log);
  const callers = callersOf(options);
  const firstKeys = Promise.withResolvers<void>();
  const keys = openKeys(options, {
    events: logKeyEvents(log, options.config, () => keys, firstKeys.resolve),
    callers: { names: callers, mayBeMore: false },
  });
  const { store } = keys;
  let stopping = false;
  const counters = createCounters(systemClocks.now);
  const onFault = (error: unknown) =>
    log.error('a request failed because of a bug in the signer', describeFault(error));
  const createShare = createBodyShares({
    ...defaultBodyLimits,
    collectGarbage: () => Bun.gc(true),
  });
  const api = createApp({
    snapshot: () => store.current,
    createBodyReader: () => createBodyReader(defaultBodyLimits, createShare()),
    signer: createSigner({ ...systemClocks, random }),
    audit,
    onOperation: counters.operation,
    onFault,
  });
  const answered = createAfterLoad(() => {
    Bun.gc(true);
    Bun.shrink();
  });
  let addresses: ReturnType<typeof listenerStatus> = { listeners: [], ops: [] };
  const state = () => ({ snapshot: store.current, stopping });
  const status = () =>
    describeStatus({
      ...state(),
      ...addresses,
      mounts: keys.mounts,
      startedAt,
      counters,
      clocks: systemClocks,
      audit: audit?.status(),
    });
  const metrics = () =>
    formatMetrics([...signerMetrics(status(), counters, callers), ...processMetrics(processUse(startedAt))]);
  const ops = createOpsApp({
    version,
    callers,
    snapshot: () => store.current,
    isReady: () => isReady(state()),
    status,
    metrics,
    onFault,
  });

  const listeners = await openListeners(
    options,
    (caller) => {
      const signing = {
        handle: api(caller),
        onFault,
        onAnswer: (status: number) => {
          counters.answer(caller, status);
          answered();
        },
      };
      return options.logLevel === 'debug' ? logRequests(log, caller, signing, () => store.current) : signing;
    },
    { handle: (request) => ops.fetch(request), onFault },
  ).catch(async (error) => {
    await keys.close();
    throw error;
  });
  addresses = listenerStatus(options, listeners);
  log.info('listening', listenerFields(options, listeners));
  void firstKeys.promise.then(() => {
    hooks.ready?.(listeners.signing[0]?.port);
    // This is a sixth of the memory of an idle signer, and the runtime would not free it by itself.
    setTimeout(Bun.shrink, settledMs);
  });

  process.on('SIGHUP', () => {
    for (const { volume } of keys.mounts) volume.refresh();
    audit?.reopen();
  });
  await stopped;
  stopping = true;
  log.info('stopping');
  // The other containers of a pod are told to stop at the same time, and may still need signatures.
  await Bun.sleep(options.shutdownDelay * 1000);
  await stopListeners(listeners, graceMs);
  await keys.close();
  store.drop();
  audit?.close();
  log.info('stopped');
  await log.end();
  // Exit here, because a log line that nobody reads would keep the process alive.
  process.exit();
}

/** Exits on an unexpected error. Logs its class and stack frames, not its message, which could hold a secret. */
function exitOnFaults(log: Log): void {
  const exit = (error: unknown) => {
    log.error('stopping because of a bug in the signer', describeFault(error));
    void log.end().then(() => process.exit(1));
  };
  process.on('uncaughtException', exit);
  process.on('unhandledRejection', exit);
}

/** Resolves on SIGTERM or SIGINT. */
function untilStopped(): Promise<void> {
  // By default, these signals would end the process.
  for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGPIPE', 'SIGXFSZ'] as const)
    process.on(signal, () => undefined);
  return new Promise((resolve) => {
    // Keep the handlers: a second SIGTERM must not kill a process that is finishing its requests.
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve());
  });
}
