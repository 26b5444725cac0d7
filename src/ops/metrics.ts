/** Counters of the signer, and its metrics in the format of Prometheus. */

import type { Operation } from '../api/messages.ts';
import type { Status, VolumeStatus } from '../api/status.ts';
import type { Outcome } from '../signer.ts';
import { operations } from '../signing/policy.ts';

export interface Counters {
  /** Counts an answer of the signing listener, with any status. */
  answer(status: number): void;
  /** Counts a signature or a verification; each item of a batch is one. */
  operation(keySet: string, operation: Operation, outcome: Outcome): void;
  readonly answers: ReadonlyMap<number, number>;
  /** By the name of the key set, then by operation. */
  readonly operations: ReadonlyMap<string, Operations>;
}

type Operations = Readonly<Record<Operation, ReadonlyMap<Outcome, number>>>;

export function createCounters(): Counters {
  const answers = new Map<number, number>();
  const byKeySet = new Map<string, Record<Operation, Map<Outcome, number>>>();
  return {
    answers,
    operations: byKeySet,
    answer: (status) => increment(answers, status),
    operation: (keySet, operation, outcome) => {
      let counts = byKeySet.get(keySet);
      if (counts === undefined) {
        counts = { sign: new Map(), verify: new Map(), challenge: new Map() };
        byKeySet.set(keySet, counts);
      }
      increment(counts[operation], outcome);
    },
  };
}

function increment<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** One value of a metric; undefined if it is not known yet. */
type Sample = readonly [labels: Readonly<Record<string, string>>, value: number | undefined];

/** @returns the text format of Prometheus, version 0.0.4 */
export async function formatMetrics(status: Status, counters: Counters): Promise<string> {
  // Imported by the first scrape, because not every signer is scraped.
  const { Registry, Counter, Gauge } = await import('@prometheus-io/client');
  const registry = new Registry();
  /** All samples of a metric have the same labels. A name that ends with `_total` makes it a counter. */
  const add = (name: string, help: string, samples: readonly Sample[]) => {
    const [sample] = samples.filter(([, value]) => value !== undefined);
    // The registry would report 0 for a metric without a value.
    if (sample === undefined) return;
    const labelNames = Object.keys(sample[0]);
    const Metric = name.endsWith('_total') ? Counter : Gauge;
    const metric = new Metric({ name: `sidecar_signer_${name}`, help, labelNames, registers: [registry] });
    for (const [labels, value] of samples) if (value !== undefined) metric.inc(labels, value);
  };
  const { version, ready, generation, loadedAt, keySets, volumes, audit } = status;
  const addForVolumes = (name: string, help: string, measure: (volume: VolumeStatus) => Sample[1]) => {
    const labels = ({ directory, content }: VolumeStatus) => ({ directory, content });
    add(
      name,
      help,
      volumes.map((volume) => [labels(volume), measure(volume)]),
    );
  };
  add('build_info', 'Always 1; its label is the version.', [[{ version }, 1]]);
  add('ready', 'Whether requests are served with valid keys.', [[{}, Number(ready)]]);
  add('generation', 'How many times new keys or a new configuration came into use.', [[{}, generation]]);
  add('loaded_timestamp_seconds', 'When the keys in use were loaded.', [[{}, secondsOf(loadedAt)]]);
  add('key_sets', 'How many key sets there are.', [[{}, keySets]]);
  addForVolumes(
    'volume_degraded',
    'Whether the latest content of a directory is not in use; /status says why.',
    ({ problems }) => Number(problems.length > 0),
  );
  addForVolumes(
    'volume_last_success_timestamp_seconds',
    'When a directory was last found readable and valid.',
    ({ lastSuccess }) => secondsOf(lastSuccess),
  );
  addForVolumes(
    'volume_watcher_up',
    'Whether events report changes of a directory; otherwise the poll finds them.',
    ({ watcher }) => Number(watcher === 'up'),
  );
  add(
    'requests_total',
    'Answers of the signing listener by HTTP status, errors included.',
    [...counters.answers].map(([code, count]) => [{ status: String(code) }, count]),
  );
  add(
    'operations_total',
    'Signatures and verifications; the outcome is ok, invalid (a signature that does not verify), or the code of an error.',
    [...counters.operations].flatMap(([key_set, counts]) =>
      operations.flatMap((operation) =>
        [...counts[operation]].map(([outcome, count]): Sample => [{ key_set, operation, outcome }, count]),
      ),
    ),
  );
  if (audit !== undefined) {
    add('audit_up', 'Whether the last line of the audit could be written; /status says why not.', [
      [{}, Number(audit.problem === null)],
    ]);
    add('audit_failures_total', 'Operations that could not be recorded.', [[{}, audit.failures]]);
    add('audit_head_seq', 'The number of the last line of the audit.', [[{}, audit.head.seq]]);
    add(
      'audit_head_hash',
      'The first 13 digits, of 64 in hex, of the hash of the last line of the audit, as a number.',
      [[{}, Number.parseInt(audit.head.hash.slice(0, 13), 16)]],
    );
  }
  addForVolumes(
    'volume_rejected_total',
    'Complete contents of a directory that were refused.',
    ({ rejected }) => rejected,
  );
  addForVolumes(
    'volume_rescued_by_poll_total',
    'Changes of a directory that the poll found without an event.',
    ({ rescuedByPoll }) => rescuedByPoll,
  );
  return registry.metrics();
}

function secondsOf(time: string | null): number | undefined {
  return time === null ? undefined : Date.parse(time) / 1000;
}
