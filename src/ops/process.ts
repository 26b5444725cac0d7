/** What the process itself uses, under the names that the client libraries of Prometheus agree on. */

import type { Metric } from './metrics.ts';

export interface ProcessUse {
  readonly cpuSeconds: number;
  readonly startedAt: Date;
  readonly residentBytes: number;
  /** Undefined where the system does not tell. */
  readonly openDescriptors: number | undefined;
  readonly maxDescriptors: number | undefined;
}

export function processMetrics(use: ProcessUse): readonly Metric[] {
  const { cpuSeconds, startedAt, residentBytes, openDescriptors, maxDescriptors } = use;
  const metric = (name: string, help: string, value: number | undefined): Metric => ({
    name: `process_${name}`,
    help,
    samples: [[{}, value]],
  });
  return [
    metric('cpu_seconds_total', 'Processor time that the signer has used.', cpuSeconds),
    metric('start_time_seconds', 'When the signer was started.', startedAt.getTime() / 1000),
    metric('resident_memory_bytes', 'Memory of the signer, with its executable.', residentBytes),
    metric('open_fds', 'Descriptors that are open, connections among them.', openDescriptors),
    metric('max_fds', 'How many descriptors may be open.', maxDescriptors),
  ];
}
