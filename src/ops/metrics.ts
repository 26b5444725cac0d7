/** Counters of the signer, and its metrics in the format of Prometheus. */

import type { Status, VolumeStatus } from '../api/status.ts';
import type { Outcome } from '../signer.ts';
import { type Operation, operations } from '../signing/policy.ts';

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
        counts = { sign: new Map(), verify: new Map() };
        byKeySet.set(keySet, counts);
      }
      increment(counts[operation], outcome);
    },
  };
}

function increment<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** @returns the text format of Prometheus, version 0.0.4 */
export async function formatMetrics(status: Status, counters: Counters): Promise<string> {
  // Imported by the first scrape, because not every signer is scraped.
  const { Registry, Counter, Gauge } = await import('@prometheus-io/client');
  const registry = new Registry();
  for (const [name, help, samples] of [...stateOf(status), ...countsOf(status, counters)]) {
    const [sample] = samples;
    // Without a value, the registry would report 0, which is wrong for a time that is not known.
    if (sample === undefined) continue;
    const labelNames = Object.keys(sample[0]);
    const Metric = name.endsWith('_total') ? Counter : Gauge;
    const metric = new Metric({ name: `sidecar_signer_${name}`, help, labelNames, registers: [registry] });
    for (const [labels, value] of samples) metric.inc(labels, value);
  }
  return registry.metrics();
}

/** All samples of a metric have the same labels. A name that ends with `_total` makes it a counter, else it is a gauge. */
type Metric = readonly [name: string, help: string, samples: readonly Sample[]];
type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

function stateOf({ version, ready, generation, loadedAt, keySets, volumes }: Status): readonly Metric[] {
  return [
    ['build_info', 'Always 1; its label is the version.', [[{ version }, 1]]],
    ['ready', 'Whether requests are served with valid keys.', [[{}, Number(ready)]]],
    ['generation', 'How many times new keys or a new configuration came into use.', [[{}, generation]]],
    ['loaded_timestamp_seconds', 'When the keys in use were loaded.', timeOf({}, loadedAt)],
    ['key_sets', 'How many key sets there are.', [[{}, keySets]]],
    [
      'volume_degraded',
      'Whether the latest content of a directory is not in use; /status says why.',
      volumes.map((volume) => [labelsOf(volume), Number(volume.problems.length > 0)]),
    ],
    [
      'volume_last_success_timestamp_seconds',
      'When a directory was last found readable and valid.',
      volumes.flatMap((volume) => timeOf(labelsOf(volume), volume.lastSuccess)),
    ],
    [
      'volume_watcher_up',
      'Whether events report changes of a directory; otherwise the poll finds them.',
      volumes.map((volume) => [labelsOf(volume), Number(volume.watcher === 'up')]),
    ],
  ];
}

function countsOf({ volumes }: Status, counters: Counters): readonly Metric[] {
  return [
    [
      'requests_total',
      'Answers of the signing listener by HTTP status, errors included.',
      [...counters.answers].map(([status, count]) => [{ status: String(status) }, count]),
    ],
    [
      'operations_total',
      'Signatures and verifications; the outcome is ok, invalid (a signature that does not verify), or the code of an error.',
      [...counters.operations].flatMap(([key_set, counts]) =>
        operations.flatMap((operation) =>
          [...counts[operation]].map(([outcome, count]): Sample => [{ key_set, operation, outcome }, count]),
        ),
      ),
    ],
    [
      'volume_rejected_total',
      'Complete contents of a directory that were refused.',
      volumes.map((volume) => [labelsOf(volume), volume.rejected]),
    ],
    [
      'volume_rescued_by_poll_total',
      'Changes of a directory that the poll found without an event.',
      volumes.map((volume) => [labelsOf(volume), volume.rescuedByPoll]),
    ],
  ];
}

function labelsOf({ directory, content }: VolumeStatus): Sample[0] {
  return { directory, content };
}

/** A time in seconds, or no sample if it is not known. */
function timeOf(labels: Sample[0], moment: string | null): readonly Sample[] {
  return moment === null ? [] : [[labels, Date.parse(moment) / 1000]];
}
