/** Keeps the audit of a running signer: connects the journal with its file, the clocks and the log. */

import { hostname } from 'node:os';
import { dirname, resolve } from 'node:path';
import type { AuditStatus } from '../../api/status.ts';
import { createJournal, type Journal, type OnFailure } from '../../audit/journal.ts';
import type { Log } from '../../ops/log.ts';
import { systemClocks } from '../../signing/clocks.ts';
import type { KeyOptions } from '../open-keys.ts';
import { openSink } from './sink.ts';

export interface AuditFlags {
  /** A path, or `-` for standard output. Undefined for no audit. */
  readonly audit?: string;
  readonly auditOnFailure: OnFailure;
}

export interface Audit extends Pick<Journal, 'record'> {
  status(): AuditStatus;
  /** Opens the file anew: it may have been renamed. */
  reopen(): void;
  /** Writes what still waits. */
  close(): void;
}

/** How often to log the end of the chain, if it has changed. */
const logHeadEveryMs = 60_000;

/** Problems that come and go are logged at most as often. */
const complainEveryMs = 10_000;

const messages = {
  refuse: 'the audit cannot be written: requests are refused',
  continue: 'the audit cannot be written: requests are answered without it',
} as const;

/** @throws {CommandFailure} if the audit cannot be written there */
export function keepAudit(
  { audit: file, auditOnFailure: onFailure, keys, config }: AuditFlags & KeyOptions,
  log: Log,
): Audit | undefined {
  if (file === undefined) return undefined;
  const { monotonicMs } = systemClocks;
  /** Why the path could not be opened anew, when it was last logged. */
  let notReopened: string | undefined;
  let isUnsolved = false;
  let complainedAtMs = Number.NEGATIVE_INFINITY;
  const sink = openSink({
    path: file,
    keyDirectories: keys,
    monotonicMs,
    currentHead: () => journal.head,
    onReopened: () => {
      notReopened = undefined;
      log.info('audit file opened anew', { file, seq: journal.head.seq });
    },
    onNotReopened: (problem) => {
      // It is tried again each second.
      if (problem === notReopened) return;
      notReopened = problem;
      log.warn('the audit goes on in the file that was renamed', { file, problem });
    },
  });
  const journal: Journal = createJournal({
    ...systemClocks,
    sink,
    head: sink.head,
    instance: hostname(),
    onFailure,
    soon: setImmediate,
    later: (run, ms) => {
      setTimeout(run, ms).unref();
    },
    onProblem: (problem) => {
      const now = monotonicMs();
      // On a disk that is nearly full, short lines are written and long ones are not.
      if (isUnsolved || now - complainedAtMs < complainEveryMs) return;
      [isUnsolved, complainedAtMs] = [true, now];
      log.warn(messages[onFailure], { file, problem });
    },
    onSolved: () => {
      if (isUnsolved) log.info('the audit is written again', { file, failures: journal.failures });
      isUnsolved = false;
    },
  });
  if (sink.removedBytes > 0) {
    log.warn('the last line of the audit was cut off and has been removed', {
      file,
      bytes: sink.removedBytes,
    });
  }
  if (file !== '-' && config !== undefined && dirname(resolve(file)) === dirname(resolve(config))) {
    log.warn('the audit is beside the configuration, which is read again with each of its lines', { file });
  }
  log.info('audit opened', { file, onFailure, ...sink.head });
  let logged = sink.head.hash;
  const logHead = () => {
    const { seq, hash } = journal.head;
    if (hash !== logged) log.info('audit head', { seq, hash });
    logged = hash;
  };
  setInterval(logHead, logHeadEveryMs).unref();
  return {
    record: journal.record,
    status: () => ({
      file,
      onFailure,
      problem: journal.problem ?? null,
      failures: journal.failures,
      head: journal.head,
    }),
    reopen: sink.reopen,
    close: () => {
      journal.flush();
      logHead();
    },
  };
}
