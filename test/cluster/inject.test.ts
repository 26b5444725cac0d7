/**
 * The shop as a chart would install it, through `inject` as Helm runs a post-renderer: manifests on standard input,
 * manifests on standard output. The cluster may be older than native sidecars, so the signer is an ordinary container.
 */

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { traces } from '../support/traces.ts';
import { servedIn } from './commands.ts';
import { createNamespace, eventually, kubectl, type Namespace, type Pod } from './kubernetes.ts';
import { images } from './manifests.ts';
import { isSignedBy, scriptInShop, shopIn } from './shop.ts';
import { configMap, secret, secretData } from './signer-pod.ts';

const root = join(import.meta.dirname, '../..');
const sweep = scriptInShop('../support/sweep.ts');
const configuration = 'keys: { orders: { encoding: hex, allow: [sign] } }';

/** What Helm would render. The pod is the same in each, and says nothing of a signer. */
function chart(cronJobVersion: string): string {
  const pod = (restartPolicy: string, indent: number) =>
    `
metadata:
  labels:
    app: shop
spec:
  terminationGracePeriodSeconds: 8
  restartPolicy: ${restartPolicy}
  containers:
  - name: shop   # the demo's
    image: "${images.shop}"
    ports:
    - {name: http, containerPort: 8080}
`.replaceAll('\n', `\n${' '.repeat(indent)}`);
  return `---
# Source: shop/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  replicas: 1
  selector: {matchLabels: {app: shop}}
  template:${pod('Always', 4)}
---
# Source: shop/templates/statefulset.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: shop
spec:
  replicas: 1
  serviceName: shop
  selector: {matchLabels: {app: shop}}
  template:${pod('Always', 4)}
---
# Source: shop/templates/cronjob.yaml
apiVersion: ${cronJobVersion}
kind: CronJob
metadata:
  name: shop
spec:
  schedule: "* * * * *"
  # The Job with a signer beside it never ends, so there is one alone.
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      template:${pod('Never', 8)}
`;
}

/** As Helm runs it. */
function postRender(input: string, ...flags: readonly string[]) {
  const command = [
    join(root, 'src/main.ts'),
    'inject',
    '--classic',
    '--all',
    '--image',
    images.signer,
    ...flags,
  ];
  const { status, stdout, stderr } = spawnSync(join(root, 'node_modules/.bin/bun'), command, {
    input,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

/** CronJobs are in batch/v1 since Kubernetes 1.21. */
function cronJobVersion(): string {
  return kubectl(['get', '--raw=/apis/batch/v1']).includes('"cronjobs"') ? 'batch/v1' : 'batch/v1beta1';
}

describe('sidecar-signer inject', () => {
  let namespace: Namespace;
  let rendered = '';
  let key = randomBytes(32);
  const kinds = ['Deployment', 'StatefulSet', 'Job'] as const;
  const pods = new Map<string, string>();

  const podsOf = async () => {
    const { items } = (await (await namespace.api('pods?labelSelector=app%3Dshop')).json()) as {
      items: (Pod & { metadata: { ownerReferences: { kind: string }[]; deletionTimestamp?: string } })[];
    };
    return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  };
  const podOf = (kind: string) => pods.get(kind) ?? 'none';

  beforeAll(async () => {
    namespace = await createNamespace();
    rendered = chart(cronJobVersion());
    namespace.apply(
      secret('signer-keys', { orders: key.toString('hex') }),
      configMap('signer-config', { 'signer.yaml': configuration }),
    );
    const { stdout } = postRender(rendered, '--force');
    namespace.kubectl(['apply', '--filename=-'], stdout);
    await eventually(async () => {
      for (const { metadata } of await podsOf()) {
        const owner = metadata.ownerReferences[0]?.kind ?? '';
        pods.set(owner === 'ReplicaSet' ? 'Deployment' : owner, metadata.name);
      }
      return pods.size === kinds.length || undefined;
    });
    for (const kind of kinds) await namespace.ready(podOf(kind));
  });

  afterAll(() => namespace?.[Symbol.asyncDispose]());

  test('refuses the CronJob without --force, and then writes nothing that Helm could install', () => {
    const { status, stdout, stderr } = postRender(rendered);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/CronJob\/shop.*\n?.*never end/);
  });

  test.each(kinds)('lets the shop in a %s sign', async (kind) => {
    expect(isSignedBy(key, await shopIn(namespace, podOf(kind)).order())).toBe(true);
    expect(servedIn(namespace, podOf(kind))).toMatchObject([{ name: 'orders', allow: ['sign'] }]);
  });

  test('lets each go on signing, with the new key, after the Secret is rotated', async () => {
    key = randomBytes(32);
    await namespace.patch('secrets/signer-keys', { data: secretData({ orders: key.toString('hex') }) });
    for (const kind of kinds) {
      await namespace.nudge(podOf(kind));
      const shop = shopIn(namespace, podOf(kind));
      await eventually(async () => isSignedBy(key, await shop.order()) || undefined);
      const { containerStatuses = [] } = (await namespace.pod(podOf(kind))).status;
      expect(containerStatuses.map(({ name, restartCount }) => [name, restartCount]).sort()).toEqual([
        ['shop', 0],
        ['signer', 0],
      ]);
    }
  });

  // test/cluster/two-container-pod.test.ts has the control of this one: a shop in which the key is found.
  test.each(kinds)('leaves no key in any file or process that the shop in a %s can open', (kind) => {
    const swept = namespace.exec(podOf(kind), 'shop', sweep);
    expect(swept.length).toBeGreaterThan(2 ** 20);
    expect(traces(swept, key)).toEqual([]);
  });

  test('is taken out again with --remove, and the workloads are what they were', async () => {
    namespace.kubectl(['delete', 'cronjob,job', '--all', '--wait=false']);
    const { stdout } = postRender(rendered, '--force');
    expect(postRender(stdout, '--remove').stdout).toBe(rendered);
    namespace.kubectl(['apply', '--filename=-'], rendered.split('---\n').slice(0, 3).join('---\n'));
    for (const workload of ['deployment/shop', 'statefulset/shop']) {
      namespace.kubectl(['rollout', 'status', workload, '--timeout=120s']);
    }
    await eventually(async () => {
      const remaining = (await podsOf()).filter(
        ({ metadata }) => metadata.ownerReferences[0]?.kind !== 'Job',
      );
      const names = remaining.map(({ status }) => status.containerStatuses?.map(({ name }) => name).join());
      return (names.length === 2 && names.every((each) => each === 'shop')) || undefined;
    });
  });
});
