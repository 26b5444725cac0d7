/** The metrics of the signer in the format of Prometheus. */

import type { KeySetStatus, Status, VolumeStatus } from '../api/status.ts';
import { operations } from '../signing/policy.ts';
import { type Counters, durationBounds } from './counters.ts';

/** One value of a metric; undefined if it is not known yet. All values of a metric have the same labels. */
type Sample = readonly [
  labels: Readonly<Record<string, string>>,
  value: number | undefined,
  /** What a histogram puts behind its name. */
  suffix?: string,
];

export interface Metric {
  /** A name that ends with `_total` is that of a counter. */
  readonly name: string;
  readonly help: string;
  readonly samples: readonly Sample[];
  readonly isHistogram?: boolean;
}

/** @returns the text format of Prometheus, version 0.0.4 */
export async function formatMetrics(metrics: readonly Metric[]): Promise<string> {
  // Imported by the first scrape, because not every signer is scraped.
  const { Registry } = await import('@prometheus-io/client');
  const registry = new Registry();
  for (const { name, help, samples, isHistogram } of metrics) {
    const values = samples
      .filter(([, value]) => value !== undefined)
      .map(([labels, value, suffix = '']) => ({ labels, value, metricName: name + suffix }));
    // A metric without a value would be reported as 0.
    if (values.length === 0) continue;
    const type = isHistogram ? 'histogram' : name.endsWith('_total') ? 'counter' : 'gauge';
    const metric = { name, get: async () => ({ name, help, type, values }) };
    // The classes of the package count themselves. Here everything is counted already.
    registry.registerMetric(metric as unknown as Parameters<typeof registry.registerMetric>[0]);
  }
  return registry.metrics();
}

/** @param callers the names of those that can come in; the label is left out if there is only one */
export function signerMetrics(
  status: Status,
  counters: Counters,
  callers: readonly string[],
): readonly Metric[] {
  const { version, ready, generation, loadedAt, keySets, keys, volumes, audit } = status;
  const callerLabel = (caller: string) => (callers.length > 1 ? { caller } : {});
  const uses = [...counters.keySets].flatMap(([key_set, use]) =>
    operations.map((operation) => ({ key_set, operation, use: use[operation] })),
  );
  const metric = (name: string, help: string, samples: readonly Sample[]): Metric => ({
    name: `sidecar_signer_${name}`,
    help,
    samples,
  });
  const ofVolumes = (name: string, help: string, measure: (volume: VolumeStatus) => Sample[1]) =>
    metric(
      name,
      help,
      volumes.map((volume) => [{ directory: volume.directory, content: volume.content }, measure(volume)]),
    );
  return [
    metric('build_info', 'Always 1; its label is the version.', [[{ version }, 1]]),
    metric('ready', 'Whether requests are served with valid keys.', [[{}, Number(ready)]]),
    metric('generation', 'How many times new keys or a new configuration came into use.', [[{}, generation]]),
    metric('loaded_timestamp_seconds', 'When the keys in use were loaded.', [[{}, secondsOf(loadedAt)]]),
    metric('key_sets', 'How many key sets there are.', [[{}, keySets]]),
    metric(
      'key_info',
      'Always 1, for each key in use; its role is primary (it signs and verifies) or other (it only verifies).',
      distinct(
        keys.flatMap(({ name, keys: own }) =>
          own.map(({ id, role }): Sample => [{ key_set: name, key_id: id, role }, 1]),
        ),
      ),
    ),
    metric(
      'key_last_used_timestamp_seconds',
      'When a key that has this role now last signed, or last verified a valid signature, in this process.',
      keys.flatMap(lastUses),
    ),
    ofVolumes(
      'volume_degraded',
      'Whether the latest content of a directory is not in use; /status says why.',
      ({ problems }) => Number(problems.length > 0),
    ),
    ofVolumes(
      'volume_last_success_timestamp_seconds',
      'When a directory was last found readable and valid.',
      ({ lastSuccess }) => secondsOf(lastSuccess),
    ),
    ofVolumes(
      'volume_watcher_up',
      'Whether events report changes of a directory; otherwise the poll finds them.',
      ({ watcher }) => Number(watcher === 'up'),
    ),
    metric(
      'requests_total',
      'Answers of the signing listener by HTTP status, errors included.',
      [...counters.answers].flatMap(([caller, answers]) =>
        [...answers].map(
          ([code, { count }]): Sample => [{ status: String(code), ...callerLabel(caller) }, count],
        ),
      ),
    ),
    metric(
      'operations_total',
      'Signatures and verifications; the outcome is ok, invalid (a signature that does not verify), or the code of an error.',
      uses.flatMap(({ use, ...labels }) =>
        [...use.outcomes].flatMap(([caller, outcomes]) =>
          [...outcomes].map(
            ([outcome, { count }]): Sample => [{ ...labels, outcome, ...callerLabel(caller) }, count],
          ),
        ),
      ),
    ),
    metric(
      'verification_failures_total',
      'Signatures that did not verify, by the reason that the answer gave.',
      uses.flatMap(({ use, key_set }) =>
        [...use.failures].flatMap(([caller, failures]) =>
          [...failures].map(
            ([reason, { count }]): Sample => [{ key_set, reason, ...callerLabel(caller) }, count],
          ),
        ),
      ),
    ),
    {
      ...metric(
        'operation_duration_seconds',
        'How long operations took inside the signer, without waiting for the request or for the audit.',
        histogramOf(counters),
      ),
      isHistogram: true,
    },
    ...(audit === undefined
      ? []
      : [
          metric('audit_up', 'Whether the last line of the audit could be written; /status says why not.', [
            [{}, Number(audit.problem === null)],
          ]),
          metric('audit_failures_total', 'Operations that could not be recorded.', [[{}, audit.failures]]),
          metric('audit_head_seq', 'The number of the last line of the audit.', [[{}, audit.head.seq]]),
          metric(
            'audit_head_hash',
            'The first 13 digits, of 64 in hex, of the hash of the last line of the audit, as a number.',
            [[{}, Number.parseInt(audit.head.hash.slice(0, 13), 16)]],
          ),
        ]),
    ofVolumes(
      'volume_rejected_total',
      'Complete contents of a directory that were refused.',
      ({ rejected }) => rejected,
    ),
    ofVolumes(
      'volume_rescued_by_poll_total',
      'Changes of a directory that the poll found without an event.',
      ({ rescuedByPoll }) => rescuedByPoll,
    ),
  ];
}

/** Of several other keys, the last use of any. */
function lastUses({ name, keys }: KeySetStatus): readonly Sample[] {
  return (['primary', 'other'] as const).flatMap((role) => {
    const uses = keys.filter((key) => key.role === role).map(({ lastUsed }) => lastUsed);
    return operations.map((operation): Sample => {
      const times = uses.flatMap((each) => secondsOf(each[operation] ?? null) ?? []);
      return [{ key_set: name, role, operation }, times.length === 0 ? undefined : Math.max(...times)];
    });
  });
}

/** Cumulative, as the format wants it. An operation that was never carried out has no buckets. */
function histogramOf({ durations }: Counters): readonly Sample[] {
  return operations.flatMap((operation): readonly Sample[] => {
    const { counts, seconds } = durations[operation];
    let total = 0;
    const buckets = counts.map((count, index): Sample => {
      total += count;
      return [{ operation, le: String(durationBounds[index] ?? '+Inf') }, total, '_bucket'];
    });
    if (total === 0) return [];
    return [...buckets, [{ operation }, seconds, '_sum'], [{ operation }, total, '_count']];
  });
}

/** Ids that are not shown can look alike, and the format allows each combination of labels once. */
function distinct(samples: readonly Sample[]): readonly Sample[] {
  return [...new Map(samples.map((sample) => [JSON.stringify(sample[0]), sample])).values()];
}

function secondsOf(time: string | null): number | undefined {
  return time === null ? undefined : Date.parse(time) / 1000;
}
