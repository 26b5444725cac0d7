/** The manifests for monitoring, against the metrics that there are and by Prometheus's own tools. */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { errorCodes } from '../src/api/errors.ts';
import { formatMetrics, type Metric } from '../src/ops/metrics.ts';
import { operations } from '../src/signing/policy.ts';
import { page } from './support/docs.ts';
import { everyMetric } from './support/metrics.ts';
import { parseQuery } from './support/promql.ts';
import { temporaryDirectory } from './support/signer.ts';

const folder = join(import.meta.dirname, '../manifests/monitoring');
const readManifest = (name: string) => parse(readFileSync(join(folder, name), 'utf8'));

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const groups = readManifest('prometheus-rule.yaml').spec.groups as readonly {
  readonly rules: readonly Rule[];
}[];
const rules = groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(readFileSync(join(folder, 'dashboard.json'), 'utf8'));
const panels = dashboard.panels as readonly Panel[];

/** The labels that Prometheus adds to what it scrapes in a cluster. */
const targetLabels = ['namespace', 'pod', 'container', 'instance', 'job'];
const labelsOf = new Map(everyMetric().map(({ name, samples }) => [name, labelNames(samples)]));
/** What labels of closed lists may be. */
const closed: Readonly<Record<string, readonly string[]>> = {
  operation: operations,
  outcome: ['ok', 'invalid', ...Object.keys(errorCodes)],
  role: ['primary', 'other'],
  status: Object.values(errorCodes).map((each) => `${each.status}`),
};

/** Everything that a query names and the signer does not have. */
function unknownNames(query: string): readonly string[] {
  const { selectors, grouped } = parseQuery(query);
  const known = (metric: string) => [
    ...(labelsOf.get(metric.replace(/_(?:bucket|sum|count)$/, '')) ?? []),
    ...targetLabels,
  ];
  const wrong = selectors.flatMap(({ metric, matchers }) => [
    ...(known(metric).length === targetLabels.length && !labelsOf.has(metric) ? [metric] : []),
    ...matchers.flatMap(({ label, operator, value }) => {
      if (!known(metric).includes(label)) return [`${metric}{${label}}`];
      const values = operator.includes('~') ? value.split('|') : [value];
      const list = closed[label];
      return list === undefined ? [] : values.filter((each) => !list.includes(each));
    }),
  ]);
  const ungrouped = grouped.filter(
    ({ label, selectors: ofGroup }) => !ofGroup.some(({ metric }) => known(metric).includes(label)),
  );
  return [...wrong, ...ungrouped.map(({ label }) => label)];
}

/** As Grafana fills it in. */
const filled = (query: string) => query.replaceAll('$__rate_interval', '5m');

describe('a query', () => {
  it.each(rules)('of the alarm $alert names only what there is', ({ expr }) => {
    expect(unknownNames(expr)).toEqual([]);
  });

  it.each(panels)('of the panel "$title" names only what there is, and so does its legend', ({ targets }) => {
    for (const { expr, legendFormat } of targets) {
      expect(unknownNames(filled(expr))).toEqual([]);
      const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
      const known = parseQuery(filled(expr)).selectors.flatMap(({ metric }) => [
        ...(labelsOf.get(metric.replace(/_bucket$/, '')) ?? []),
        ...targetLabels,
      ]);
      expect(shown.filter((label) => !known.includes(label))).toEqual([]);
    }
    expect(targets.length).toBeGreaterThan(0);
  });

  it('of the documentation names only what there is', () => {
    const cells = page('docs/operations.md')
      .table('Queries', 'question')
      .rows.map(([, query = '']) => query);
    const [removal] = page('docs/operations.md').blocksUnder('When an old key can be removed', 'text');
    for (const query of [...cells, removal?.code ?? '']) {
      expect([query, unknownNames(query.replaceAll('\\|', '|'))]).toEqual([query, []]);
    }
  });

  it('of a variable names only what there is', () => {
    const queries = dashboard.templating.list.flatMap(
      ({ definition }: { definition?: string }) => definition ?? [],
    );
    expect(queries).toHaveLength(3);
    for (const query of queries) {
      const [, selector = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(query) ?? [];
      expect(unknownNames(`count by (${label}) (${selector})`)).toEqual([]);
    }
  });

  it.each([
    ['sidecar_signer_redy == 0', ['sidecar_signer_redy']],
    ['sidecar_signer_ready{keyset="a"}', ['sidecar_signer_ready{keyset}']],
    ['sum by (reasons) (sidecar_signer_verification_failures_total)', ['reasons']],
    ['sidecar_signer_operations_total{outcome=~"ok|invalied"}', ['invalied']],
    ['process_open_fds / on (instanz) process_max_fds', ['instanz']],
  ])('that names something else is found: %s', (query, wrong) => {
    expect(unknownNames(query)).toEqual(wrong);
  });

  it('that is not PromQL is refused', () => {
    expect(() => parseQuery('sum by (a (b)')).toThrow('not PromQL');
  });
});

describe('the dashboard', () => {
  it('shows every metric but those that say the same in another way', () => {
    const shown = panels.flatMap(({ targets }) =>
      targets.flatMap(({ expr }) => parseQuery(filled(expr)).selectors.map(({ metric }) => metric)),
    );
    const names = new Set(shown.map((metric) => metric.replace(/_bucket$/, '')));
    const left = [...labelsOf.keys()].filter((name) => !names.has(name));
    expect(left.map((name) => name.replace('sidecar_signer_', ''))).toEqual([
      'loaded_timestamp_seconds',
      'key_sets',
      'volume_watcher_up',
      'audit_up',
      'audit_head_seq',
      'audit_head_hash',
      'volume_rejected_total',
      'volume_rescued_by_poll_total',
      'process_start_time_seconds',
    ]);
  });

  it('has panels that do not overlap, each with an id of its own', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
  });
});

describe('the manifests', () => {
  it('scrape the port that the signer has in all manifests', () => {
    const { spec } = readManifest('pod-monitor.yaml');
    const [{ port }] = spec.podMetricsEndpoints;
    for (const path of ['sidecar/signer.yaml', 'two-container-pod/pod.yaml', 'deployment/deployment.yaml']) {
      const manifest = readFileSync(join(folder, '..', path), 'utf8');
      expect([path, new RegExp(`name: ${port}\\s+containerPort: 8701`).test(manifest)]).toEqual([path, true]);
    }
  });

  it('have the files that the kustomization names', () => {
    const { resources, configMapGenerator } = readManifest('kustomization.yaml');
    const [, file] = configMapGenerator[0].files[0].split('=');
    for (const name of [...resources, file]) expect(readFileSync(join(folder, name), 'utf8')).not.toBe('');
  });

  it('have the alarms of the documentation, each with what to do', () => {
    const blocks = page('docs/operations.md').blocksUnder('Alarms', 'yaml');
    expect(blocks.map(({ code }) => parse(code))).toContainEqual({ groups });
    const listed = page('docs/operations.md')
      .table('Alarms', 'alarm')
      .rows.map(([name]) => name);
    expect(listed).toEqual(rules.map(({ alert }) => alert));
  });
});

const promtool = spawnSync('promtool', ['--version']).status === 0;
const skipped = promtool ? '' : ' (skipped: there is no promtool)';

describe.skipIf(!promtool)(`promtool${skipped}`, () => {
  const pod = '{namespace="shop",pod="a",instance="10.0.0.1:8701"}';
  const of = (labels: string) => pod.replace('}', `,${labels}}`);
  const volume = of('directory="/etc/signer/keys",content="keys"');
  const bucket = (le: string) =>
    `sidecar_signer_operation_duration_seconds_bucket${of(`operation="sign",le="${le}"`)}`;

  const summed: Labels = { namespace: undefined, pod: undefined, instance: undefined };

  /** For each alarm: what makes it fire, after how long, with which labels; and what is near and does not. */
  const cases: Readonly<Record<string, { fires: Series; at: string; labels: Labels; near: Series }>> = {
    SignerNotReady: {
      fires: { [`sidecar_signer_ready${pod}`]: '0x20' },
      near: { [`sidecar_signer_ready${pod}`]: '1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1' },
      at: '3m',
      labels: {},
    },
    SignerKeysRefused: {
      fires: { [`sidecar_signer_volume_degraded${volume}`]: '1x20' },
      near: { [`sidecar_signer_volume_degraded${volume}`]: '1 1 1 1 0x16' },
      at: '6m',
      labels: { directory: '/etc/signer/keys', content: 'keys' },
    },
    SignerVolumeNotRead: {
      fires: { [`sidecar_signer_volume_last_success_timestamp_seconds${volume}`]: '0x30' },
      near: { [`sidecar_signer_volume_last_success_timestamp_seconds${volume}`]: '0+60x30' },
      at: '12m',
      labels: { directory: '/etc/signer/keys', content: 'keys' },
    },
    SignerInvalidSignatures: {
      fires: {
        [`sidecar_signer_verification_failures_total${of('key_set="orders",reason="mismatch"')}`]: '0+10x30',
      },
      near: {
        [`sidecar_signer_verification_failures_total${of('key_set="orders",reason="mismatch"')}`]: '0+5x30',
      },
      at: '20m',
      labels: { ...summed, key_set: 'orders', reason: 'mismatch' },
    },
    SignerRefusesCallers: {
      fires: { [`sidecar_signer_requests_total${of('status="403"')}`]: '0 0 1x20' },
      near: { [`sidecar_signer_requests_total${of('status="404"')}`]: '0 0 1x20' },
      at: '5m',
      labels: { status: '403' },
    },
    SignerOverloaded: {
      fires: { [`sidecar_signer_requests_total${of('status="503"')}`]: '0+5x30' },
      near: { [`sidecar_signer_requests_total${of('status="503"')}`]: '0 5x30' },
      at: '15m',
      labels: { status: '503' },
    },
    SignerSlow: {
      fires: { [bucket('0.01')]: '0+10x30', [bucket('0.1')]: '0+20x30', [bucket('+Inf')]: '0+20x30' },
      near: { [bucket('0.01')]: '0+20x30', [bucket('0.1')]: '0+20x30', [bucket('+Inf')]: '0+20x30' },
      at: '20m',
      labels: { ...summed, operation: 'sign' },
    },
    SignerKeysDiffer: {
      fires: {
        [`sidecar_signer_key_info${of('key_set="orders",key_id="a",role="primary"')}`]: '1x30',
        [`sidecar_signer_key_info${of('key_set="orders",key_id="b",role="primary"')}`]: '1x30',
      },
      near: {
        [`sidecar_signer_key_info${of('key_set="orders",key_id="a",role="primary"')}`]: '1x30',
        [`sidecar_signer_key_info${of('key_set="orders",key_id="b",role="other"')}`]: '1x30',
        [`sidecar_signer_key_info${of('key_set="session",key_id="b",role="primary"')}`]: '1x30',
      },
      at: '20m',
      labels: { pod: undefined, instance: undefined, key_set: 'orders' },
    },
    SignerDescriptorsLow: {
      fires: {
        [`process_open_fds${pod}`]: '7000x20',
        [`process_max_fds${pod}`]: '8192x20',
        [`sidecar_signer_build_info${of('version="1"')}`]: '1x20',
      },
      // The process of another program.
      near: { [`process_open_fds${pod}`]: '7000x20', [`process_max_fds${pod}`]: '8192x20' },
      at: '6m',
      labels: {},
    },
    SignerAuditFails: {
      fires: { [`sidecar_signer_audit_up${pod}`]: '1 0x20' },
      near: {
        [`sidecar_signer_audit_up${pod}`]: '1x20',
        [`sidecar_signer_audit_failures_total${pod}`]: '7x20',
      },
      at: '5m',
      labels: {},
    },
    SignerFault: {
      fires: {
        [`sidecar_signer_operations_total${of('key_set="orders",operation="sign",outcome="internal"')}`]:
          '1x20',
      },
      near: {
        [`sidecar_signer_operations_total${of('key_set="orders",operation="sign",outcome="ok"')}`]: '1x20',
      },
      at: '1m',
      labels: { key_set: 'orders', operation: 'sign', outcome: 'internal' },
    },
  };

  it('accepts the rules', () => {
    using directory = withRules();
    const {
      status: code,
      stdout,
      stderr,
    } = spawnSync('promtool', ['check', 'rules', '--lint-fatal', directory.rules], {
      encoding: 'utf8',
    });
    expect([code, stdout + stderr]).toEqual([0, expect.stringContaining(`${rules.length} rules found`)]);
  });

  it('finds nothing wrong with the metrics', async () => {
    const input = await formatMetrics(everyMetric());
    const {
      status: code,
      stdout,
      stderr,
    } = spawnSync('promtool', ['check', 'metrics'], { encoding: 'utf8', input });
    expect([code, stdout + stderr]).toEqual([0, '']);
  });

  it('has a case for each alarm', () => {
    expect(Object.keys(cases)).toEqual(rules.map(({ alert }) => alert));
  });

  it.each(Object.entries(cases))('sees %s fire when it should, and not before', (alertname, each) => {
    const rule = rules.find(({ alert }) => alert === alertname);
    const common: Labels = { namespace: 'shop', pod: 'a', instance: '10.0.0.1:8701' };
    const exp_labels = Object.fromEntries(
      Object.entries({ ...common, ...rule?.labels, ...each.labels }).filter(
        ([, value]) => value !== undefined,
      ),
    );
    const fired = { exp_labels, exp_annotations: rule?.annotations };
    const test = (series: Series, exp_alerts: readonly object[]) => ({
      interval: '1m',
      input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
      alert_rule_test: [{ eval_time: each.at, alertname, exp_alerts }],
    });
    using directory = withRules();
    const file = join(directory.path, 'test.yaml');
    const tests = [test(each.fires, [fired]), test(each.near, [])];
    writeFileSync(file, stringify({ rule_files: [directory.rules], evaluation_interval: '1m', tests }));
    const {
      status: code,
      stdout,
      stderr,
    } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
    expect([code, code === 0 ? '' : stdout + stderr]).toEqual([0, '']);
  });
});

type Series = Readonly<Record<string, string>>;
type Labels = Readonly<Record<string, string | undefined>>;

/** The rules as a file of Prometheus, without the object of the operator around them. */
function withRules() {
  const directory = temporaryDirectory();
  const path = join(directory.path, 'rules.yaml');
  writeFileSync(path, stringify({ groups }));
  return Object.assign(directory, { rules: path });
}

function labelNames(samples: Metric['samples']): readonly string[] {
  return [...new Set(samples.flatMap(([labels]) => Object.keys(labels)))];
}
