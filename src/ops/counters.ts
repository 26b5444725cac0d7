/** Counts what the signing listeners do. Every label is bounded by the configuration, whatever callers send. */

import type { ErrorCode } from '../api/errors.ts';
import type { Operation } from '../api/messages.ts';
import type { VerificationFailure } from '../api/verification.ts';
import type { OperationResult, Outcome } from '../signer.ts';
import { operations } from '../signing/policy.ts';

/** The upper bounds of the buckets in seconds. The last bucket, of everything beyond, is not among them. */
export const durationBounds: readonly number[] = [0.000_02, 0.000_05, 0.000_1, 0.000_25, 0.001, 0.01, 0.1];

export interface Counters {
  /** Counts an answer to a caller, with any status. */
  answer(caller: string, status: number): void;
  /** Counts an operation of a key set; each item of a batch is one. */
  operation(result: OperationResult): void;
  /** By the name of the caller, then by status. */
  readonly answers: ReadonlyMap<string, ReadonlyMap<number, Readonly<Count>>>;
  /** By the name of the key set. */
  readonly keySets: ReadonlyMap<string, KeySetUse>;
  readonly durations: Readonly<Record<Operation, Durations>>;
}

/** What a key set was used for. */
export type KeySetUse = Readonly<Record<Operation, OperationUse>>;

export interface OperationUse {
  /** By the name of the caller. */
  readonly outcomes: ReadonlyMap<string, ReadonlyMap<Outcome, Readonly<Count>>>;
  readonly failures: ReadonlyMap<string, ReadonlyMap<VerificationFailure, Readonly<Count>>>;
  /** When each key was last used, by its id, in milliseconds since the epoch. */
  readonly lastUsedMs: ReadonlyMap<string, number>;
}

/** How long operations took. */
export interface Durations {
  /** How many took at most as long as each bound, and longer than the one before; then how many took longer than all. */
  readonly counts: readonly number[];
  readonly seconds: number;
}

/** Counted in place: a look-up costs as much as the rest of counting. */
interface Count {
  count: number;
}

/** By the name of the caller. */
type Counts<K> = Map<string, Map<K, Count>>;

interface CountedUse {
  readonly outcomes: Counts<'ok' | 'invalid' | ErrorCode>;
  readonly failures: Counts<VerificationFailure>;
  readonly lastUsedMs: Map<string, number>;
}

export function createCounters(now: () => number): Counters {
  const answers: Counts<number> = new Map();
  /** Items of a batch have the same key set, one after the other. */
  let last: { readonly keySet: string; readonly uses: Record<Operation, CountedUse> } | undefined;
  const keySets = new Map<string, Record<Operation, CountedUse>>();
  const durations = perOperation(() => ({ counts: durationBounds.map(() => 0).concat(0), seconds: 0 }));
  const usesOf = (keySet: string): Record<Operation, CountedUse> => {
    const known = keySets.get(keySet);
    if (known !== undefined) return known;
    const uses = perOperation(() => ({ outcomes: new Map(), failures: new Map(), lastUsedMs: new Map() }));
    keySets.set(keySet, uses);
    return uses;
  };

  return {
    answers,
    keySets,
    durations,
    answer: (caller, status) => increment(answers, caller, status),
    operation: ({ caller, keySet, operation, outcome, usedKeys, reason, durationMs }) => {
      if (last?.keySet !== keySet) last = { keySet, uses: usesOf(keySet) };
      const use = last.uses[operation];
      increment(use.outcomes, caller, outcome);
      if (durationMs !== undefined) observe(durations[operation], durationMs / 1000);
      if (reason !== undefined) increment(use.failures, caller, reason);
      if (typeof usedKeys === 'string') markUsed(use.lastUsedMs, usedKeys, now());
      else for (const id of usedKeys ?? []) markUsed(use.lastUsedMs, id, now());
    },
  };
}

function perOperation<T>(create: () => T): Record<Operation, T> {
  const [sign, verify, challenge] = operations.map(create) as [T, T, T];
  return { sign, verify, challenge };
}

function increment<K>(counts: Counts<K>, caller: string, key: K): void {
  let own = counts.get(caller);
  if (own === undefined) {
    own = new Map();
    counts.set(caller, own);
  }
  const counted = own.get(key);
  if (counted === undefined) own.set(key, { count: 1 });
  else counted.count += 1;
}

function observe(durations: { counts: number[]; seconds: number }, seconds: number): void {
  let bucket = 0;
  for (const bound of durationBounds) {
    if (seconds <= bound) break;
    bucket += 1;
  }
  durations.counts[bucket] = (durations.counts[bucket] ?? 0) + 1;
  durations.seconds += seconds;
}

/** More than a key set has. Keys that were replaced since are forgotten, those that were used least recently first. */
const maxKeys = 1024;

function markUsed(lastUsedMs: Map<string, number>, id: string, atMs: number): void {
  lastUsedMs.set(id, atMs);
  if (lastUsedMs.size <= maxKeys) return;
  const [[oldest] = [id]] = [...lastUsedMs].sort(([, a], [, b]) => a - b);
  lastUsedMs.delete(oldest);
}
