/** What Prometheus is told, to the letter. */

import { describe, expect, it } from 'vitest';
import type { Status, VolumeStatus } from '../../src/api/status.ts';
import { createCounters, formatMetrics } from '../../src/ops/metrics.ts';

const volume: VolumeStatus = {
  directory: '/etc/signer/keys',
  content: 'keys',
  layout: 'atomic',
  generation: 3,
  lastSuccess: '2026-11-24T00:00:00.500Z',
  watcher: 'up',
  rescuedByPoll: 1,
  rejected: 2,
  problems: [],
};

const status: Status = {
  version: '1.2.3',
  ready: true,
  generation: 3,
  loadedAt: '2026-11-24T00:00:00.000Z',
  keySets: 2,
  volumes: [volume],
};

/** The lines that are values. */
const values = async (told: Status, counters = createCounters()) =>
  (await formatMetrics(told, counters)).split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('of a signer that has just started', () => {
  it('the state is told, and nothing is counted', async () => {
    expect(await values(status)).toEqual([
      'sidecar_signer_build_info{version="1.2.3"} 1',
      'sidecar_signer_ready 1',
      'sidecar_signer_generation 3',
      'sidecar_signer_loaded_timestamp_seconds 1795478400',
      'sidecar_signer_key_sets 2',
      'sidecar_signer_volume_degraded{directory="/etc/signer/keys",content="keys"} 0',
      'sidecar_signer_volume_last_success_timestamp_seconds{directory="/etc/signer/keys",content="keys"} 1795478400.5',
      'sidecar_signer_volume_watcher_up{directory="/etc/signer/keys",content="keys"} 1',
      'sidecar_signer_volume_rejected_total{directory="/etc/signer/keys",content="keys"} 2',
      'sidecar_signer_volume_rescued_by_poll_total{directory="/etc/signer/keys",content="keys"} 1',
    ]);
  });

  it('each metric has its type and a sentence', async () => {
    const counters = createCounters();
    counters.answer(200);
    counters.operation('orders', 'sign', 'ok');
    const lines = (await formatMetrics(status, counters)).split('\n');
    const names = (kind: string) =>
      lines.filter((line) => line.startsWith(`# ${kind} `)).map((line) => line.split(' ')[2]);
    expect(names('HELP')).toEqual(names('TYPE'));
    expect(new Set(names('TYPE')).size).toBe(12);
    for (const name of names('TYPE')) {
      const type = name?.endsWith('_total') ? 'counter' : 'gauge';
      expect(lines).toContain(`# TYPE ${name} ${type}`);
      expect(lines.find((line) => line.startsWith(`# HELP ${name} `))).toMatch(/ [A-Z][^\n]{20,}\.$/);
    }
  });
});

describe('of a signer without keys', () => {
  it('no moment is told that there has not been', async () => {
    const problems = ['directory /etc/signer/keys does not exist (yet)'];
    const missing = { ...volume, lastSuccess: null, watcher: 'down' as const, rejected: 0, problems };
    const told = { ...status, ready: false, generation: 0, loadedAt: null, keySets: 0, volumes: [missing] };
    const lines = await values(told);
    expect(lines.filter((line) => line.includes('timestamp'))).toEqual([]);
    expect(lines).toContain('sidecar_signer_ready 0');
    expect(lines).toContain('sidecar_signer_volume_degraded{directory="/etc/signer/keys",content="keys"} 1');
    expect(lines).toContain(
      'sidecar_signer_volume_watcher_up{directory="/etc/signer/keys",content="keys"} 0',
    );
  });
});

describe('counts', () => {
  it('are kept apart by key set, operation and outcome', async () => {
    const counters = createCounters();
    for (const status of [200, 200, 403]) counters.answer(status);
    counters.operation('orders', 'sign', 'ok');
    counters.operation('orders', 'sign', 'ok');
    counters.operation('orders', 'verify', 'invalid');
    counters.operation('session', 'sign', 'rate_limited');
    const counted = (await values(status, counters)).filter((line) => /_(requests|operations)_/.test(line));
    expect(counted).toEqual([
      'sidecar_signer_requests_total{status="200"} 2',
      'sidecar_signer_requests_total{status="403"} 1',
      'sidecar_signer_operations_total{key_set="orders",operation="sign",outcome="ok"} 2',
      'sidecar_signer_operations_total{key_set="orders",operation="verify",outcome="invalid"} 1',
      'sidecar_signer_operations_total{key_set="session",operation="sign",outcome="rate_limited"} 1',
    ]);
  });

  it('go on from one question to the next', async () => {
    const counters = createCounters();
    counters.answer(200);
    await formatMetrics(status, counters);
    counters.answer(200);
    expect(await values(status, counters)).toContain('sidecar_signer_requests_total{status="200"} 2');
  });
});

it('a directory that holds the keys and the configuration is told twice, and not added up', async () => {
  const configuration = { ...volume, content: 'configuration', lastSuccess: null, problems: ['x'] } as const;
  const lines = await values({ ...status, volumes: [volume, configuration] });
  expect(lines.filter((line) => /volume_(?:degraded|watcher_up|last_success)/.test(line))).toEqual([
    'sidecar_signer_volume_degraded{directory="/etc/signer/keys",content="keys"} 0',
    'sidecar_signer_volume_degraded{directory="/etc/signer/keys",content="configuration"} 1',
    'sidecar_signer_volume_last_success_timestamp_seconds{directory="/etc/signer/keys",content="keys"} 1795478400.5',
    'sidecar_signer_volume_watcher_up{directory="/etc/signer/keys",content="keys"} 1',
    'sidecar_signer_volume_watcher_up{directory="/etc/signer/keys",content="configuration"} 1',
  ]);
});

it('a directory is written as the format asks, whatever its name holds', async () => {
  const strange = { ...volume, directory: '/a "b"\\c\nd' };
  const text = await formatMetrics({ ...status, volumes: [strange] }, createCounters());
  expect(text).toContain(
    'sidecar_signer_volume_degraded{directory="/a \\"b\\"\\\\c\\nd",content="keys"} 0\n',
  );
});
