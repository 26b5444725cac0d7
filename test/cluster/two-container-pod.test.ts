/** manifests/two-container-pod on a cluster, with the shop of the demo as its frontend. */

import { spawn, spawnSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '../support/signer.ts';
import { traces } from '../support/traces.ts';
import { servedIn } from './commands.ts';
import { createNamespace, eventually, type Namespace, patienceMs } from './kubernetes.ts';
import type { LoadLine } from './load.ts';
import { copyManifests, images } from './manifests.ts';
import { isSignedBy, type Shop, scriptInShop, shopIn } from './shop.ts';
import { secret, secretData } from './signer-pod.ts';

const pod = 'two-container-pod';
const rotations = 100;
const sweep = scriptInShop('../support/sweep.ts');

const hex = (key: Buffer) => key.toString('hex');
/** DESIGN.md §3 */
const keyIdOf = (key: Buffer) =>
  createHmac('sha256', key).update('sidecar-signer key id').digest('hex').slice(0, 16);

describe('manifests/two-container-pod', () => {
  const manifests = copyManifests();
  let namespace: Namespace;
  let shop: Shop;
  let key = randomBytes(32);

  const applyNewKey = () => {
    key = randomBytes(32);
    manifests.putKey(pod, key);
    namespace.kubectl(['apply', '--kustomize', manifests.withTestImages(pod)]);
  };
  const signsWithNewKey = () => eventually(async () => isSignedBy(key, await shop.order()) || undefined);
  const container = async (name: string) =>
    (await namespace.pod(pod)).status.containerStatuses?.find((each) => each.name === name);

  beforeAll(async () => {
    namespace = await createNamespace();
    shop = shopIn(namespace, pod);
    applyNewKey();
    await namespace.ready(pod);
  });

  afterAll(async () => {
    manifests[Symbol.dispose]();
    await namespace?.[Symbol.asyncDispose]();
  });

  test('is accepted as it stands, becomes ready, and its frontend signs', async () => {
    expect(isSignedBy(key, await shop.order())).toBe(true);
    const { containerStatuses = [] } = (await namespace.pod(pod)).status;
    expect(containerStatuses.map(({ restartCount }) => restartCount)).toEqual([0, 0]);
  });

  test('lets the commands in the container of the signer speak of what is served', () => {
    expect(servedIn(namespace, pod)).toMatchObject([
      { name: 'orders', format: 'raw', keyIds: [keyIdOf(key)] },
    ]);
  });

  test('gives through the hole of its frontend whatever there is, but no key', async () => {
    expect((await shop.read('/proc/self/cmdline')).toString()).toContain('/shop/bun');
    const token = 'run/secrets/kubernetes.io/serviceaccount/token';
    const paths = [
      '/etc/signer/keys/orders',
      '/keys/orders',
      '/proc/self/environ',
      '/proc/1/environ',
      '/proc/1/root/etc/signer/keys/orders',
      '/proc/self/mountinfo',
    ];
    for (const path of [...paths, `/${token}`, `/var/${token}`]) {
      expect({ path, found: traces(await shop.read(path), key) }).toEqual({ path, found: [] });
    }
    expect((await shop.read(`/var/${token}`)).toString()).toMatch(/ENOENT/);
  });

  test('holds no key in any file or process that the frontend can open', () => {
    const swept = namespace.exec(pod, 'frontend', sweep);
    expect(swept.length).toBeGreaterThan(2 ** 20);
    expect(traces(swept, key)).toEqual([]);
  });

  test('would be found out if it did (the control of the test above)', async () => {
    const mounted = [{ name: 'keys', mountPath: '/somewhere' }];
    namespace.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'counter-example' },
      spec: {
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 1,
        containers: [{ name: 'frontend', image: images.shop, volumeMounts: mounted }],
        volumes: [{ name: 'keys', secret: { secretName: 'signer-keys' } }],
      },
    });
    await namespace.ready('counter-example');
    expect(traces(namespace.exec('counter-example', 'frontend', sweep), key)).toContain('hex');
  });

  test('signs with a new key when kubectl applies one', async () => {
    applyNewKey();
    await namespace.nudge(pod);
    await signsWithNewKey();
    expect((await container('signer'))?.restartCount).toBe(0);
  });

  test(`loses no request over ${rotations} rotations under load`, { timeout: 600_000 }, async () => {
    const before = (await loads()).length;
    await using load = startLoad();
    await load.firstUse(key);
    for (let rotation = 1; rotation <= rotations; rotation++) {
      key = randomBytes(32);
      await namespace.patch('secrets/signer-keys', { data: secretData({ orders: hex(key) }) });
      await namespace.nudge(pod);
      await load.firstUse(key);
    }
    const { requests, seconds, failures } = await load.end();
    const perSecond = Math.round(requests / seconds);
    console.log(`${requests} requests (${perSecond} a second) over ${rotations} rotations`);
    expect(failures).toEqual([]);
    // Each generation was used, and none loaded twice.
    expect((await loads()).length - before).toBe(rotations);
  });

  test('comes back when the signer is killed, with the key as it is now', async (context) => {
    const { containerID = '', restartCount } = (await container('signer')) ?? {};
    const frontendRestarts = (await container('frontend'))?.restartCount;
    const [runtime, id = ''] = containerID.split('://');
    if (runtime !== 'docker') return context.skip(`cannot kill a container of ${runtime}`);
    expect(spawnSync('docker', ['kill', '--signal=KILL', id]).status).toBe(0);
    await eventually(async () => {
      const signer = await container('signer');
      return (signer?.ready && signer.restartCount === (restartCount ?? 0) + 1) || undefined;
    });
    expect(isSignedBy(key, await shop.order())).toBe(true);
    expect((await container('frontend'))?.restartCount).toBe(frontendRestarts);
  });

  test('keeps the last good key, and says why, when a bad one is applied', async () => {
    namespace.apply(secret('signer-keys', { orders: 'abc' }));
    await namespace.nudge(pod);
    const refusal = /\\"orders\\" is not hex.*keys not loaded: the last good keys stay in use/;
    await eventually(async () => refusal.test(await namespace.logs(pod)) || undefined);
    expect(isSignedBy(key, await shop.order())).toBe(true);
    applyNewKey();
    await namespace.nudge(pod);
    await signsWithNewKey();
  });

  const loads = async () =>
    (await namespace.logged<{ msg: string; directory: string }>(pod)).filter(
      ({ msg, directory }) => msg === 'keys loaded' && directory === '/etc/signer/keys',
    );

  /** The frontend's container as a caller that never rests. */
  function startLoad() {
    const inside = ['--container=frontend', '--', ...scriptInShop('load.ts')];
    const load = spawn('kubectl', ['--namespace', namespace.name, 'exec', '--stdin', pod, ...inside]);
    let output = '';
    for (const stream of [load.stdout, load.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
      });
    }
    const printed = <T>(find: (line: LoadLine) => T | undefined) =>
      waitFor(() => {
        if (load.exitCode !== null && load.exitCode !== 0) throw new Error(`the load failed: ${output}`);
        const lines = output.split('\n').slice(0, -1);
        return lines.map((line) => find(JSON.parse(line) as LoadLine)).find((each) => each !== undefined);
      }, patienceMs);
    return {
      firstUse: (used: Buffer) =>
        printed((line) => ('keyId' in line && line.keyId === keyIdOf(used)) || undefined),
      end: () => {
        load.stdin.end();
        return printed((line) => ('requests' in line ? line : undefined));
      },
      [Symbol.asyncDispose]: async () => {
        load.kill();
      },
    };
  }
});
