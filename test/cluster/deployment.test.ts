import { createHmac, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '../support/signer.ts';
import {
  buildNeighbour,
  copyManifests,
  createNamespace,
  type Namespace,
  obstacle,
  patienceMs,
  secret,
  withTestImages,
} from './kubernetes.ts';

const message = 'order 4711';

describe.skipIf(obstacle !== undefined)(
  `manifests/deployment on a cluster${obstacle === undefined ? '' : ` (${obstacle})`}`,
  { timeout: patienceMs * 2 },
  () => {
    let namespace: Namespace;
    let manifests: ReturnType<typeof copyManifests>;
    const key = randomBytes(32);
    const expected = createHmac('sha256', key).update(message).digest('hex');

    beforeAll(async () => {
      buildNeighbour();
      manifests = copyManifests();
      namespace = await createNamespace();
      namespace.apply(secret('signer-keys', { orders: key.toString('hex') }));
      namespace.kubectl(['apply', '--kustomize', withTestImages(manifests.path, 'deployment')]);
      namespace.kubectl(['rollout', 'status', 'deployment/shop', '--timeout=120s']);
    }, patienceMs * 2);

    afterAll(async () => {
      manifests?.[Symbol.dispose]();
      await namespace?.[Symbol.asyncDispose]();
    });

    /** The pods that the Service would send a request to now. */
    const endpoints = async (): Promise<readonly string[]> => {
      const { subsets = [] } = (await (await namespace.get('endpoints/shop')).json()) as {
        subsets?: { addresses?: { targetRef: { name: string } }[] }[];
      };
      return subsets.flatMap(({ addresses = [] }) => addresses.map(({ targetRef }) => targetRef.name));
    };

    test('signs in each replica, over the socket', async () => {
      const pods = await waitFor(async () => {
        const ready = await endpoints();
        return ready.length === 2 ? ready : undefined;
      }, patienceMs);
      for (const pod of pods) {
        const response = await namespace.get(
          `pods/${pod}:8080/proxy/sign?message=${encodeURIComponent(message)}`,
        );
        expect(await response.json()).toMatchObject({ signature: expected });
      }
    });

    test('lets the application neither remove nor replace the socket', async () => {
      const [pod = ''] = await endpoints();
      const mounts = await (
        await namespace.get(`pods/${pod}:8080/proxy/read?path=/proc/self/mountinfo`)
      ).text();
      expect(mounts).toMatch(/ \/run\/signer ro,/);
      expect(mounts).not.toMatch(/ \/etc\/signer/);
    });

    test('rolls without a failed signature', async () => {
      const before = await endpoints();
      const failures: string[] = [];
      let signed = 0;
      let rolling = true;
      const load = (async () => {
        while (rolling) {
          const pods = await endpoints();
          const pod = pods[signed % pods.length] ?? 'no ready replica';
          const response = await namespace.get(
            `pods/${pod}:8080/proxy/sign?message=${encodeURIComponent(message)}`,
          );
          const answer = await response.text();
          if (answer.includes(expected)) signed++;
          else failures.push(`${pod} ${response.status} ${answer}`);
        }
      })();
      namespace.kubectl(['rollout', 'restart', 'deployment/shop']);
      await waitFor(async () => {
        const now = await endpoints();
        return now.length === 2 && now.every((pod) => !before.includes(pod)) ? true : undefined;
      }, patienceMs);
      await waitFor(() => {
        const { items } = JSON.parse(namespace.kubectl(['get', 'pods', '--output=json'])) as {
          items: unknown[];
        };
        return items.length === 2 ? true : undefined;
      }, patienceMs);
      rolling = false;
      await load;
      console.log(`${signed} signatures while the deployment rolled, ${failures.length} failed`);
      expect(failures).toEqual([]);
      expect(signed).toBeGreaterThan(20);
    });
  },
);
