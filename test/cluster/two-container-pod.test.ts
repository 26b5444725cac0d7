import { spawn, spawnSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '../support/signer.ts';
import { traces } from '../support/traces.ts';
import {
  buildNeighbour,
  copyManifests,
  createNamespace,
  images,
  type Namespace,
  obstacle,
  patienceMs,
  putKey,
  secret,
  withTestImages,
} from './kubernetes.ts';

const pod = 'two-container-pod';
const message = 'order 4711';
/** More in a long run. */
const rotations = Number(process.env['ROTATIONS'] ?? 5);
const tag = (key: Buffer) => createHmac('sha256', key).update(message).digest('hex');

describe.skipIf(obstacle !== undefined)(
  `manifests/two-container-pod on a cluster${obstacle === undefined ? '' : ` (${obstacle})`}`,
  { timeout: patienceMs * 2 },
  () => {
    let namespace: Namespace;
    let manifests: ReturnType<typeof copyManifests>;
    let key: Buffer = randomBytes(32);

    const applyKey = (next: Buffer) => {
      key = next;
      putKey(manifests.path, pod, next);
      namespace.kubectl(['apply', '--kustomize', withTestImages(manifests.path, pod)]);
    };
    const frontend = (path: string) => namespace.get(`pods/${pod}:8080/proxy${path}`);
    const sign = async () => {
      const response = await frontend(`/sign?message=${encodeURIComponent(message)}`);
      return response.ok ? ((await response.json()) as { signature: string }).signature : undefined;
    };
    const signsWith = (expected: Buffer) =>
      waitFor(async () => ((await sign()) === tag(expected) ? true : undefined), patienceMs);

    beforeAll(async () => {
      buildNeighbour();
      manifests = copyManifests();
      namespace = await createNamespace();
      applyKey(key);
      await namespace.ready(pod);
    }, patienceMs * 2);

    afterAll(async () => {
      manifests?.[Symbol.dispose]();
      await namespace?.[Symbol.asyncDispose]();
    });

    test('is accepted as it stands, becomes ready, and its frontend signs', async () => {
      expect(await sign()).toBe(tag(key));
      expect(namespace.pod(pod).status.containerStatuses?.map(({ restartCount }) => restartCount)).toEqual([
        0, 0,
      ]);
    });

    test('gives through the hole of its frontend whatever there is, but no key', async () => {
      const read = async (path: string) =>
        Buffer.from(await (await frontend(`/read?path=${path}`)).arrayBuffer());
      expect((await read('/proc/self/cmdline')).toString()).toContain('/neighbour');
      const paths = [
        '/etc/signer/keys/orders',
        '/keys/orders',
        '/proc/self/environ',
        '/proc/1/environ',
        '/proc/1/root/etc/signer/keys/orders',
        '/proc/self/mountinfo',
      ];
      paths.push(
        '/var/run/secrets/kubernetes.io/serviceaccount/token',
        '/run/secrets/kubernetes.io/serviceaccount/token',
      );
      for (const path of paths)
        expect({ path, found: traces(await read(path), key) }).toEqual({ path, found: [] });
      expect((await read('/var/run/secrets/kubernetes.io/serviceaccount/token')).toString()).toMatch(
        /ENOENT/,
      );
    });

    test('holds no key in any file or process that the frontend can open', () => {
      const swept = namespace.bytes(['exec', pod, '--container=frontend', '--', '/neighbour', 'sweep']);
      expect(swept.length).toBeGreaterThan(2 ** 20);
      expect(traces(swept, key)).toEqual([]);
      // As it is in the file: hexadecimal text.
      expect(swept.includes(key.toString('hex'))).toBe(false);
    });

    test('would be found out if it did (the control of the test above)', async () => {
      namespace.apply({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'counter-example' },
        spec: {
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'frontend',
              image: images.neighbour,
              volumeMounts: [{ name: 'keys', mountPath: '/somewhere' }],
            },
          ],
          volumes: [{ name: 'keys', secret: { secretName: 'signer-keys' } }],
        },
      });
      await namespace.ready('counter-example');
      const swept = namespace.bytes([
        'exec',
        'counter-example',
        '--container=frontend',
        '--',
        '/neighbour',
        'sweep',
      ]);
      expect(traces(swept, key)).toContain('hex');
    });

    test(`loses no request over ${rotations} rotations by kubectl apply under load`, {
      timeout: patienceMs * 2 + rotations * 30_000,
    }, async () => {
      const load = spawn('kubectl', [
        '--namespace',
        namespace.name,
        'exec',
        '--stdin',
        pod,
        '--container=frontend',
        '--',
        '/neighbour',
        'load',
      ]);
      let output = '';
      load.stdout.on('data', (chunk) => {
        output += chunk;
      });
      await waitFor(() => (output.includes('loading') ? true : undefined), patienceMs);
      const before = loads(namespace.logs(pod)).length;
      for (let rotation = 1; rotation <= rotations; rotation++) {
        applyKey(randomBytes(32));
        namespace.nudge(pod);
        await signsWith(key);
      }
      load.stdin.end();
      const report = await waitFor(() => /\{.*\}/.exec(output)?.[0], patienceMs);
      const { requests, failed, failures, keyIds } = JSON.parse(report) as {
        requests: number;
        failed: number;
        failures: string[];
        keyIds: string[];
      };
      console.log(`${requests} requests over ${rotations} rotations, ${failed} failed`);
      expect(requests).toBeGreaterThan(100);
      expect(failures).toEqual([]);
      expect(keyIds.length).toBe(rotations + 1);
      expect(loads(namespace.logs(pod)).length - before).toBe(rotations);
    });

    test('comes back when the signer is killed, with the key as it is now', async (context) => {
      const { containerID = '' } =
        namespace.pod(pod).status.containerStatuses?.find(({ name }) => name === 'signer') ?? {};
      const frontendRestarts = () =>
        namespace.pod(pod).status.containerStatuses?.find(({ name }) => name === 'frontend')?.restartCount;
      const before = frontendRestarts();
      const [runtime, id] = containerID.split('://');
      if (runtime !== 'docker' || id === undefined)
        return context.skip(`cannot kill a container of ${runtime}`);
      expect(spawnSync('docker', ['kill', '--signal=KILL', id]).status).toBe(0);
      await waitFor(() => {
        const signer = namespace.pod(pod).status.containerStatuses?.find(({ name }) => name === 'signer');
        return signer?.restartCount === 1 && signer.ready ? true : undefined;
      }, patienceMs);
      await signsWith(key);
      expect(frontendRestarts()).toBe(before);
    });

    test('keeps the last good key, and says why, when a bad one is applied', async () => {
      namespace.apply(secret('signer-keys', { orders: 'abc' }));
      namespace.nudge(pod);
      await waitFor(
        () => (namespace.logs(pod).includes('the last good keys stay in use') ? true : undefined),
        patienceMs,
      );
      expect(namespace.logs(pod)).toMatch(/\\"orders\\" is not hex.*keys not loaded/);
      expect(await sign()).toBe(tag(key));
      applyKey(randomBytes(32));
      namespace.nudge(pod);
      await signsWith(key);
    });
  },
);

function loads(log: string): readonly string[] {
  return log
    .split('\n')
    .filter((line) => line.includes('"msg":"keys loaded"') && line.includes('/etc/signer/keys'));
}
