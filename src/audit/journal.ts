/**
 * Writes the lines of the audit. Operations that finish in one turn of the event loop wait together for one write, and all
 * their answers may leave or none.
 */

import { assemble, cutAt } from './block.ts';
import type { Head } from './chain.ts';
import { type AuditEvent, type Draft, draft, quote } from './line.ts';
import { createRefusals } from './refusals.ts';

/** Where the lines go. */
export interface Sink {
  /** Appends bytes. Returns how many of them it took, and what was wrong if these are not all. */
  append(bytes: Uint8Array): Appended;
  /** Whether a reader takes the lines away, so that there may be room in a moment. */
  readonly isDrained: boolean;
}

export interface Appended {
  readonly written: number;
  readonly problem?: string;
}

export const failureChoices = ['refuse', 'continue'] as const;
/** What happens to an answer whose line cannot be written. */
export type OnFailure = (typeof failureChoices)[number];

export interface JournalOptions {
  readonly sink: Sink;
  /** The end of the chain that goes on. */
  readonly head: Head;
  /** The name of the host. */
  readonly instance: string;
  readonly onFailure: OnFailure;
  readonly now: () => number;
  readonly monotonicMs: () => number;
  /** Runs something when this turn of the event loop is over. */
  readonly soon: (run: () => void) => void;
  readonly later: (run: () => void, ms: number) => void;
  /** Called when lines cannot be written any more. */
  readonly onProblem?: (problem: string) => void;
  /** Called when they can be written again. */
  readonly onSolved?: () => void;
}

export interface Journal {
  /** Records an event. Returns whether its answer may leave; undefined if the answer need not wait. */
  record(event: AuditEvent): Promise<boolean> | undefined;
  /** Writes what still waits, without waiting for a reader. */
  flush(): void;
  readonly head: Head;
  /** Why the last write failed; undefined if it did not. */
  readonly problem: string | undefined;
  /** How many operations could not be recorded. */
  readonly failures: number;
}

/** How much may wait. Beyond it, a group is written before the turn of the event loop ends, if nothing else is being written. */
const maxWaitingLength = 4 * 2 ** 20;
/** How long a group waits for a slow reader: a pause of it, and much less than clients wait for an answer. */
const drainWithinMs = 250;
const drainEveryMs = 2;
const countEveryMs = 1000;

interface Waiting {
  readonly line: Draft;
  /** How many operations it is for. */
  readonly operations: number;
  /** How many of their answers leave even if the line is lost. */
  readonly leaving: number;
}

interface Group {
  readonly waiting: Waiting[];
  readonly mayLeave: Promise<boolean>;
  settle(mayLeave: boolean): void;
}

export function createJournal(options: JournalOptions): Journal {
  const { sink, onFailure, now, monotonicMs, soon, later, onProblem, onSolved } = options;
  const instance = quote(options.instance);
  const refusals = createRefusals(monotonicMs);
  const leavesAnyway = onFailure === 'continue';
  const alone = leavesAnyway ? 1 : 0;
  let { head } = options;
  let group: Group | undefined;
  let waitingLength = 0;
  let isWriting = false;
  let isCounting = false;
  let problem: string | undefined;
  let failures = 0;
  /** How many answers have left without a line. The next line says it. */
  let missing = 0;
  /** Of a line of which a part is written. */
  let rest: Uint8Array = new Uint8Array();

  const add = (event: AuditEvent, operations: number, leaving: number): Group => {
    if (group === undefined) {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      group = { waiting: [], mayLeave: promise, settle: resolve };
      if (!isWriting) soon(() => commit(true));
    }
    const line = draft(event, now());
    waitingLength += line.members.length;
    group.waiting.push({ line, operations, leaving });
    return group;
  };

  const commit = (mayWait: boolean): void => {
    if (isWriting || (group === undefined && missing === 0 && rest.length === 0)) return;
    const { waiting = [], settle } = group ?? {};
    if (missing > 0) waiting.unshift(countMissing(missing, now()));
    [group, waitingLength, missing] = [undefined, 0, 0];
    const drafts = waiting.map(({ line }) => line);
    const block = assemble(rest, drafts, instance, head);
    const deadline = monotonicMs() + drainWithinMs;
    let written = 0;

    const write = (): void => {
      const appended = sink.append(written === 0 ? block.bytes : block.bytes.subarray(written));
      written += appended.written;
      // Once a group has waited in vain, none waits any more until a write succeeds.
      const isPatient = mayWait && sink.isDrained && problem === undefined && monotonicMs() < deadline;
      if (written === block.bytes.length) end(undefined);
      else if (isPatient) later(write, drainEveryMs);
      else end(appended.problem ?? 'only a part could be written');
    };
    const end = (failure: string | undefined): void => {
      isWriting = false;
      const cut = cutAt(block, written);
      head = cut.head ?? head;
      ({ rest } = cut);
      for (const { operations, leaving } of waiting.slice(cut.begun)) {
        failures += operations;
        missing += leaving;
      }
      const before = problem;
      problem = failure;
      if (before === undefined && failure !== undefined) onProblem?.(failure);
      if (before !== undefined && failure === undefined) onSolved?.();
      settle?.(failure === undefined || leavesAnyway);
      if (group !== undefined) soon(() => commit(true));
    };
    isWriting = true;
    write();
  };

  /** Answers that did not wait for a line of their own leave before this one. */
  const addCounts = (counts: readonly AuditEvent[]): void => {
    for (const event of counts) add(event, event.count ?? 0, event.count ?? 0);
  };

  const countLater = (): void => {
    if (isCounting || !refusals.isCounting) return;
    isCounting = true;
    later(() => {
      isCounting = false;
      addCounts(refusals.counts());
      countLater();
    }, countEveryMs);
  };

  return {
    record: (event) => {
      if (!refusals.admits(event)) {
        countLater();
        return undefined;
      }
      if (waitingLength > maxWaitingLength) commit(true);
      if (waitingLength > maxWaitingLength) {
        failures += 1;
        missing += alone;
        return Promise.resolve(leavesAnyway);
      }
      return add(event, 1, alone).mayLeave;
    },
    flush: () => {
      addCounts(refusals.counts(true));
      commit(false);
    },
    get head() {
      return head;
    },
    get problem() {
      return problem;
    },
    get failures() {
      return failures;
    },
  };
}

/** The line that says how many are missing before it. */
function countMissing(count: number, nowMs: number): Waiting {
  return { line: draft({ outcome: 'unrecorded', count }, nowMs), operations: 0, leaving: count };
}
