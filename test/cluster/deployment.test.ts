/** manifests/deployment and its overlays on a cluster. */

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { page } from '../support/docs.ts';
import { temporaryDirectory } from '../support/signer.ts';
import { servedIn } from './commands.ts';
import {
  createNamespace,
  eventually,
  kubectl,
  type Namespace,
  openNamespace,
  type Pod,
} from './kubernetes.ts';
import { copyManifests } from './manifests.ts';
import { isSignedBy, shopIn } from './shop.ts';
import { configMap, secret } from './signer-pod.ts';

const main = join(import.meta.dirname, '../../src/main.ts');

interface Endpoints {
  readonly subsets?: readonly {
    readonly addresses?: readonly { readonly targetRef: { readonly name: string } }[];
  }[];
}

/** The pods that the Service would send a request to now. */
async function endpoints({ api }: Namespace): Promise<readonly string[]> {
  const { subsets = [] } = (await (await api('endpoints/shop')).json()) as Endpoints;
  return subsets.flatMap(({ addresses = [] }) => addresses.map(({ targetRef }) => targetRef.name));
}

const rolledOut = (namespace: Namespace) =>
  namespace.kubectl(['rollout', 'status', 'deployment/shop', '--timeout=120s']);

describe('manifests/deployment', () => {
  const manifests = copyManifests();
  let namespace: Namespace;
  const key = randomBytes(32);

  beforeAll(async () => {
    namespace = await createNamespace();
    namespace.apply(secret('signer-keys', { orders: key.toString('hex') }));
    namespace.kubectl(['apply', '--kustomize', manifests.withTestImages('deployment')]);
    rolledOut(namespace);
  });

  afterAll(async () => {
    manifests[Symbol.dispose]();
    await namespace?.[Symbol.asyncDispose]();
  });

  test('signs in each replica, over the socket', async () => {
    const pods = await endpoints(namespace);
    expect(pods).toHaveLength(2);
    for (const pod of pods) expect(isSignedBy(key, await shopIn(namespace, pod).order())).toBe(true);
  });

  test('is asked by the command of docs/keys-and-rotation.md which keys each replica has', () => {
    const rotation = page('docs/keys-and-rotation.md').blocksUnder('Rotate a JWK set across replicas', 'sh');
    const listing = rotation.find(({ code }) => code.includes('/sidecar-signer keys list'))?.code ?? '';
    const command = listing.replaceAll('kubectl ', `kubectl --namespace=${namespace.name} `);
    const printed = execFileSync('bash', ['-euo', 'pipefail', '-c', command], { encoding: 'utf8' });
    expect(printed).toMatch(/^(?:orders {2}raw {2}HS256 {2}primary \w+\n){2}$/);
  });

  test('lets the commands in the container of the signer speak of what is served, also after a change', async () => {
    const [pod = ''] = await endpoints(namespace);
    expect(servedIn(namespace, pod)).toMatchObject([{ name: 'orders', format: 'raw', algorithm: 'HS256' }]);
    const root = randomBytes(32).toString('hex');
    const hooks = 'deriveFrom: root, encoding: hex, format: standard-webhooks, allowExport: true';
    const yaml = `keys: { orders: { encoding: hex }, hooks: { ${hooks} } }`;
    namespace.apply(
      secret('signer-keys', { orders: key.toString('hex'), root }),
      configMap('signer-config', { 'signer.yaml': yaml }),
    );
    await namespace.nudge(pod);
    await eventually(async () => servesHooks(pod) || undefined);
    expect(servedIn(namespace, pod)).toHaveLength(2);
    const derive = ['keys', 'derive', 'hooks', 'acme'];
    const derived = namespace.exec(pod, 'signer', ['/sidecar-signer', ...derive]).toString();
    using here = temporaryDirectory();
    writeFileSync(join(here.path, 'root'), root, { mode: 0o600 });
    writeFileSync(join(here.path, 'orders'), key.toString('hex'), { mode: 0o600 });
    using beside = temporaryDirectory();
    const config = join(beside.path, 'signer.yaml');
    writeFileSync(config, yaml);
    const flags = ['--keys', here.path, '--config', config];
    expect(derived).toBe(execFileSync('npx', ['bun', main, ...derive, ...flags], { encoding: 'utf8' }));
    namespace.kubectl(['apply', '--kustomize', manifests.withTestImages('deployment')]);
  });

  const servesHooks = (pod: string) =>
    namespace.exec(pod, 'signer', ['/sidecar-signer', 'keys', 'list']).toString().includes('hooks');

  test('lets the application neither remove nor replace the socket', async () => {
    const [pod = ''] = await endpoints(namespace);
    const mounts = (await shopIn(namespace, pod).read('/proc/self/mountinfo')).toString();
    expect(mounts).toMatch(/ \/run\/signer ro,/);
    expect(mounts).not.toMatch(/ \/etc\/signer/);
  });

  test('rolls without a failed signature, for callers that learn late of it as well', async () => {
    const before = await endpoints(namespace);
    const failures: string[] = [];
    let signed = 0;
    let rolling = true;
    // What stands between a caller and a pod takes a moment to learn of its end.
    const latenessMs = 2000;
    const known = [{ at: performance.now(), pods: before }];
    const learn = async () => {
      while (rolling) {
        known.unshift({ at: performance.now(), pods: await endpoints(namespace) });
        await delay(100);
      }
    };
    const call = async () => {
      while (rolling) {
        const { pods } = known.find(({ at }) => performance.now() - at > latenessMs) ?? { pods: before };
        const pod = pods[signed % pods.length] ?? 'no ready replica';
        try {
          if (isSignedBy(key, await shopIn(namespace, pod).order())) signed++;
          else failures.push(`${pod}: another signature`);
        } catch (error) {
          failures.push(String(error));
        }
        await delay(20);
      }
    };
    const callers = [learn(), call(), call()];
    namespace.kubectl(['rollout', 'restart', 'deployment/shop']);
    await eventually(async () => {
      const now = await endpoints(namespace);
      return (now.length === 2 && now.every((pod) => !before.includes(pod))) || undefined;
    });
    await eventually(async () => {
      const { items } = (await (await namespace.api('pods')).json()) as { items: Pod[] };
      const old = items.filter(({ metadata }) => before.includes(metadata.name));
      const running = old
        .flatMap(({ status }) => status.containerStatuses ?? [])
        .some((each) => each.state.running);
      return !running || undefined;
    });
    rolling = false;
    await Promise.all(callers);
    console.log(`${signed} signatures while the deployment rolled, ${failures.length} failed`);
    expect(failures.slice(0, 5)).toEqual([]);
    expect(signed).toBeGreaterThan(100);
  });
});

describe('manifests/overlays', () => {
  const overlays = ['test', 'prod'] as const;
  const manifests = copyManifests();
  const keys = { test: randomBytes(32), prod: randomBytes(32) };

  beforeAll(() => {
    for (const name of overlays) {
      manifests.putKey(`overlays/${name}`, keys[name]);
      kubectl(['apply', '--kustomize', manifests.withTestImages(`overlays/${name}`)]);
    }
  });

  afterAll(() => manifests[Symbol.dispose]());

  test.each(overlays)('%s signs with a key of its own, as an account of its own', async (name) => {
    await using namespace = await openNamespace(`shop-${name}`);
    rolledOut(namespace);
    const [pod = ''] = await endpoints(namespace);
    const order = await shopIn(namespace, pod).order();
    expect(overlays.filter((each) => isSignedBy(keys[each], order))).toEqual([name]);
    const accounts = ['--output=jsonpath={.items[*].spec.serviceAccountName}'];
    const replicas = name === 'prod' ? 3 : 2;
    expect(namespace.kubectl(['get', 'pods', ...accounts]).split(' ')).toEqual(
      Array(replicas).fill(`shop-${name}`),
    );
  });
});
