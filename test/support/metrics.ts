/** Every metric that a signer can have, each with a sample of every kind. */

import { createCounters } from '../../src/ops/counters.ts';
import { type Metric, signerMetrics } from '../../src/ops/metrics.ts';
import { processMetrics } from '../../src/ops/process.ts';
import { status } from './status.ts';

export function everyMetric(): readonly Metric[] {
  const counters = createCounters(() => 0);
  const failed = { operation: 'verify', outcome: 'invalid', reason: 'mismatch', durationMs: 1 } as const;
  for (const caller of ['web', 'worker']) {
    counters.answer(caller, 200);
    counters.operation({ ...failed, caller, keySet: 'orders' });
  }
  const head = { seq: 1, hash: '0'.repeat(64) };
  const audit = { file: '-', onFailure: 'refuse', problem: null, failures: 0, head } as const;
  const use = {
    cpuSeconds: 1,
    startedAt: new Date(),
    residentBytes: 1,
    openDescriptors: 1,
    maxDescriptors: 1,
  };
  return [...signerMetrics({ ...status, audit }, counters, ['web', 'worker']), ...processMetrics(use)];
}
