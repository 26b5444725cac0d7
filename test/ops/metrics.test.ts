/** What Prometheus is told, to the letter. */

import { describe, expect, it } from 'vitest';
import type { Status } from '../../src/api/status.ts';
import { createCounters, durationBounds } from '../../src/ops/counters.ts';
import { formatMetrics, signerMetrics } from '../../src/ops/metrics.ts';
import { processMetrics } from '../../src/ops/process.ts';
import type { OperationResult } from '../../src/signer.ts';
import { keySet, status, volume } from '../support/status.ts';

const newCounters = () => createCounters(() => 1_795_478_401_500);

/** The lines that are values. */
const values = async (told: Status, counters = newCounters(), callers: readonly string[] = ['tcp']) =>
  linesOf(await formatMetrics(signerMetrics(told, counters, callers)));

const linesOf = (text: string) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

const signed: OperationResult = {
  caller: 'tcp',
  keySet: 'orders',
  operation: 'sign',
  outcome: 'ok',
  usedKeys: 'a',
  durationMs: 0.03,
};
const notValid: OperationResult = {
  caller: 'tcp',
  keySet: 'orders',
  operation: 'verify',
  outcome: 'invalid',
  reason: 'mismatch',
  durationMs: 0.03,
};
const refused: OperationResult = {
  caller: 'tcp',
  keySet: 'orders',
  operation: 'sign',
  outcome: 'rate_limited',
};

describe('of a signer that has just started', () => {
  it('the state is told, and nothing is counted', async () => {
    const unused = keySet.keys.map((key) => ({ ...key, lastUsed: {} }));
    expect(await values({ ...status, keys: [{ ...keySet, keys: unused }] })).toEqual([
      'sidecar_signer_build_info{version="1.2.3"} 1',
      'sidecar_signer_ready 1',
      'sidecar_signer_generation 3',
      'sidecar_signer_loaded_timestamp_seconds 1795478400',
      'sidecar_signer_key_sets 1',
      'sidecar_signer_key_info{key_set="orders",key_id="06d5550dfae03216",role="primary"} 1',
      'sidecar_signer_key_info{key_set="orders",key_id="2fcbe78bd9f2370b",role="other"} 1',
      'sidecar_signer_volume_degraded{directory="/etc/signer/keys",content="keys"} 0',
      'sidecar_signer_volume_last_success_timestamp_seconds{directory="/etc/signer/keys",content="keys"} 1795478400.5',
      'sidecar_signer_volume_watcher_up{directory="/etc/signer/keys",content="keys"} 1',
      'sidecar_signer_volume_rejected_total{directory="/etc/signer/keys",content="keys"} 2',
      'sidecar_signer_volume_rescued_by_poll_total{directory="/etc/signer/keys",content="keys"} 1',
    ]);
  });

  it('each metric has its type and a sentence', async () => {
    const counters = newCounters();
    counters.answer('tcp', 200);
    for (const each of [signed, notValid]) counters.operation(each);
    const head = { seq: 1, hash: '0'.repeat(64) };
    const audit = { file: '-', onFailure: 'refuse', problem: null, failures: 0, head } as const;
    const used = {
      cpuSeconds: 1,
      startedAt: new Date(),
      residentBytes: 1,
      openDescriptors: 1,
      maxDescriptors: 2,
    };
    const metrics = [...signerMetrics({ ...status, audit }, counters, ['tcp']), ...processMetrics(used)];
    const lines = (await formatMetrics(metrics)).split('\n');
    const names = (kind: string) =>
      lines.filter((line) => line.startsWith(`# ${kind} `)).map((line) => line.split(' ')[2]);
    expect(names('HELP')).toEqual(names('TYPE'));
    expect(new Set(names('TYPE')).size).toBe(25);
    for (const name of names('TYPE')) {
      const usual = name?.endsWith('_total') ? 'counter' : 'gauge';
      const type = name?.endsWith('_duration_seconds') ? 'histogram' : usual;
      expect(lines).toContain(`# TYPE ${name} ${type}`);
      expect(lines.find((line) => line.startsWith(`# HELP ${name} `))).toMatch(/ [A-Z][^\n]{20,}\.$/);
    }
  });
});

describe('of a signer without keys', () => {
  it('no moment is told that there has not been', async () => {
    const problems = ['directory /etc/signer/keys does not exist (yet)'];
    const missing = { ...volume, lastSuccess: null, watcher: 'down' as const, rejected: 0, problems };
    const none = { ready: false, generation: 0, loadedAt: null, keySets: 0, keys: [] };
    const told = { ...status, ...none, volumes: [missing] };
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
  it('are kept apart by key set, operation, outcome and reason', async () => {
    const counters = newCounters();
    for (const status of [200, 200, 403]) counters.answer('tcp', status);
    for (const each of [signed, signed, notValid, { ...refused, keySet: 'session' }])
      counters.operation(each);
    const counted = (await values(status, counters)).filter((line) => /_total\{(?!directory)/.test(line));
    expect(counted).toEqual([
      'sidecar_signer_requests_total{status="200"} 2',
      'sidecar_signer_requests_total{status="403"} 1',
      'sidecar_signer_operations_total{key_set="orders",operation="sign",outcome="ok"} 2',
      'sidecar_signer_operations_total{key_set="orders",operation="verify",outcome="invalid"} 1',
      'sidecar_signer_operations_total{key_set="session",operation="sign",outcome="rate_limited"} 1',
      'sidecar_signer_verification_failures_total{key_set="orders",reason="mismatch"} 1',
    ]);
  });

  it('are kept apart by caller where there are several', async () => {
    const counters = newCounters();
    for (const caller of ['web', 'worker']) {
      counters.answer(caller, 200);
      for (const each of [signed, notValid]) counters.operation({ ...each, caller });
    }
    const counted = (await values(status, counters, ['web', 'worker'])).filter((line) =>
      /caller=/.test(line),
    );
    expect(counted).toEqual(
      ['requests_total{status="200"', 'operations_total{key_set="orders",operation="sign",outcome="ok"']
        .concat('operations_total{key_set="orders",operation="verify",outcome="invalid"')
        .concat('verification_failures_total{key_set="orders",reason="mismatch"')
        .flatMap((name) => ['web', 'worker'].map((caller) => `sidecar_signer_${name},caller="${caller}"} 1`)),
    );
  });

  it('go on from one question to the next', async () => {
    const counters = newCounters();
    counters.answer('tcp', 200);
    await values(status, counters);
    counters.answer('tcp', 200);
    expect(await values(status, counters)).toContain('sidecar_signer_requests_total{status="200"} 2');
  });
});

describe('the time of operations', () => {
  it('is in buckets that hold those before them, and what was refused is not among them', async () => {
    const counters = newCounters();
    for (const durationMs of [0.01, 0.02, 0.03, 5, 5000]) counters.operation({ ...signed, durationMs });
    counters.operation(refused);
    const lines = (await values(status, counters)).filter((line) => line.includes('duration'));
    const name = 'sidecar_signer_operation_duration_seconds';
    const sums = [2, 3, 3, 3, 3, 4, 4];
    expect(lines).toEqual([
      ...durationBounds.map((le, index) => `${name}_bucket{operation="sign",le="${le}"} ${sums[index]}`),
      `${name}_bucket{operation="sign",le="+Inf"} 5`,
      expect.stringMatching(/_sum\{operation="sign"\} 5\.00506$/),
      `${name}_count{operation="sign"} 5`,
    ]);
  });
});

describe('keys', () => {
  it('of which the ids are withheld and look alike are told once', async () => {
    const withheld = { id: '(an id of 43 characters)', role: 'other', lastUsed: {} } as const;
    const lines = await values({ ...status, keys: [{ ...keySet, keys: [withheld, withheld] }] });
    expect(lines.filter((line) => line.includes('key_info'))).toEqual([
      'sidecar_signer_key_info{key_set="orders",key_id="(an id of 43 characters)",role="other"} 1',
    ]);
  });

  it('have the time of their last use', async () => {
    const name = 'sidecar_signer_key_last_used_timestamp_seconds';
    expect(await values(status)).toContain(
      `${name}{key_set="orders",role="other",operation="verify"} 1795478401`,
    );
  });

  it('are used by what succeeds', () => {
    const counters = newCounters();
    for (const each of [notValid, refused]) counters.operation(each);
    expect(counters.keySets.get('orders')?.verify.lastUsedMs).toEqual(new Map());
    expect(counters.keySets.get('orders')?.sign.lastUsedMs).toEqual(new Map());
    counters.operation(signed);
    expect(counters.keySets.get('orders')?.sign.lastUsedMs).toEqual(new Map([['a', 1_795_478_401_500]]));
  });

  it('are forgotten when there were more than a key set can have', () => {
    let nowMs = 0;
    const counters = createCounters(() => nowMs++);
    for (let number = 0; number < 2000; number++) counters.operation({ ...signed, usedKeys: `${number}` });
    const left = [...(counters.keySets.get('orders')?.sign.lastUsedMs.keys() ?? [])];
    expect([left.length, left[0], left.at(-1)]).toEqual([1024, '976', '1999']);
  });

  it('have the last use of any other key', async () => {
    const used = (at: string) => ({ id: at, role: 'other', lastUsed: { verify: at } }) as const;
    const keys = [
      used('2026-11-24T00:00:03.000Z'),
      used('2026-11-24T00:00:09.000Z'),
      used('2026-11-24T00:00:04.000Z'),
    ];
    const lines = await values({ ...status, keys: [{ ...keySet, keys }] });
    expect(lines.filter((line) => line.includes('last_used'))).toEqual([
      'sidecar_signer_key_last_used_timestamp_seconds{key_set="orders",role="other",operation="verify"} 1795478409',
    ]);
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
  const text = await formatMetrics(signerMetrics({ ...status, volumes: [strange] }, newCounters(), []));
  expect(text).toContain(
    'sidecar_signer_volume_degraded{directory="/a \\"b\\"\\\\c\\nd",content="keys"} 0\n',
  );
});
