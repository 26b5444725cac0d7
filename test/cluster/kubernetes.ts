/** A cluster for the tests: kubectl against the cluster of `KUBECONFIG`, in a namespace of its own. */

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../support/signer.ts';

const root = join(import.meta.dirname, '../..');
const signerImage = process.env['SIGNER_IMAGE'] ?? 'sidecar-signer:dev';
const neighbourImage = process.env['NEIGHBOUR_IMAGE'] ?? 'sidecar-signer-neighbour:test';

/** Why the manifests cannot be built here; undefined when they can. */
export const kustomizeObstacle: string | undefined =
  spawnSync('kubectl', ['kustomize', '--help']).status === 0 ? undefined : 'there is no kubectl';

/** Why there is no cluster to test on; undefined when there is. */
export const obstacle: string | undefined = (() => {
  if (process.env['KUBECONFIG'] === undefined) return 'KUBECONFIG is not set';
  if (kustomizeObstacle !== undefined) return kustomizeObstacle;
  const { status } = spawnSync('kubectl', ['get', '--raw', '/readyz', '--request-timeout=10s']);
  return status === 0 ? undefined : 'no cluster answers on KUBECONFIG';
})();

export const images = { signer: signerImage, neighbour: neighbourImage } as const;

/** Builds the neighbour's image where none is named; a cluster must find it on its nodes. */
export function buildNeighbour(): void {
  if (process.env['NEIGHBOUR_IMAGE'] !== undefined) return;
  const directory = mkdtempSync(join(tmpdir(), 'neighbour-'));
  try {
    const bun = join(root, 'node_modules/.bin/bun');
    const out = `--outfile=${directory}/neighbour`;
    execFileSync(bun, ['build', join(import.meta.dirname, 'neighbour.ts'), '--compile', '--minify', out], {
      stdio: 'pipe',
    });
    // On the signer's own image, since that has what a compiled binary needs.
    const dockerfile = `FROM ${signerImage}\nCOPY neighbour /neighbour\nUSER 65533:65533\nHEALTHCHECK NONE\nENTRYPOINT ["/neighbour"]\nCMD ["serve"]\n`;
    writeFileSync(join(directory, 'Dockerfile'), dockerfile);
    execFileSync('docker', ['build', '--quiet', '--tag', neighbourImage, directory], { stdio: 'pipe' });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export interface Namespace extends AsyncDisposable {
  readonly name: string;
  /** Standard output; throws with what kubectl says when it fails. */
  kubectl(args: readonly string[], input?: string): string;
  /** Like `kubectl`, with the raw bytes of a long output. */
  bytes(args: readonly string[]): Buffer;
  apply(...objects: readonly object[]): void;
  /** A path below the namespace in the API, fetched through the API server. */
  get(path: string): Promise<Response>;
  pod(name: string): Pod;
  /** Waits for the pod's condition Ready. */
  ready(pod: string): Promise<void>;
  logs(pod: string, container?: string): string;
  /** The messages of the pod's events, oldest first. */
  events(pod: string): readonly string[];
  /** Makes the kubelet look at the pod now, in place of at its next round. */
  nudge(pod: string): void;
}

export interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly {
      readonly name: string;
      readonly ready: boolean;
      readonly restartCount: number;
      readonly containerID?: string;
    }[];
  };
}

/** Nothing of a cluster happens at once: images, volumes and probes each take their time. */
export const patienceMs = 120_000;

export async function createNamespace(): Promise<Namespace> {
  const name = `signer-test-${randomBytes(4).toString('hex')}`;
  const kubectl = (args: readonly string[], input?: string) =>
    execute(['--namespace', name, ...args], input).toString();
  execute(['create', 'namespace', name]);
  const proxy = await startProxy();
  const get = (path: string) => fetch(`${proxy.url}/api/v1/namespaces/${name}/${path}`);
  await waitFor(async () => ((await get('serviceaccounts/default')).ok ? true : undefined), patienceMs);
  const pod = (each: string) => JSON.parse(kubectl(['get', 'pod', each, '--output=json'])) as Pod;
  return {
    name,
    kubectl,
    bytes: (args) => execute(['--namespace', name, ...args]),
    apply: (...objects) => {
      kubectl(['apply', '--filename=-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
    },
    get,
    pod,
    ready: async (each) => {
      await waitFor(() => (isReady(pod(each)) ? true : undefined), patienceMs);
    },
    logs: (each, container = 'signer') => kubectl(['logs', each, `--container=${container}`, '--tail=-1']),
    events: (each) => {
      const of = `involvedObject.name=${each}`;
      const { items } = JSON.parse(kubectl(['get', 'events', `--field-selector=${of}`, '--output=json'])) as {
        items: { message: string }[];
      };
      return items.map(({ message }) => message);
    },
    nudge: (each) => {
      kubectl(['annotate', 'pod', each, '--overwrite', `nudged=${randomBytes(4).toString('hex')}`]);
    },
    [Symbol.asyncDispose]: async () => {
      proxy.process.kill();
      execute(['delete', 'namespace', name, '--wait=false']);
    },
  };
}

function isReady({ status }: Pod): boolean {
  return status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
}

function execute(args: readonly string[], input?: string): Buffer {
  const { status, stdout, stderr } = spawnSync('kubectl', args, { input, maxBuffer: 2 ** 30 });
  if (status !== 0) throw new Error(`kubectl ${args.slice(0, 5).join(' ')}: ${stderr}`);
  return stdout;
}

async function startProxy(): Promise<{ readonly url: string; readonly process: ChildProcess }> {
  const process = spawn('kubectl', ['proxy', '--port=0'], { stdio: ['ignore', 'pipe', 'ignore'] });
  let output = '';
  process.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const address = await waitFor(() => /127\.0\.0\.1:\d+/.exec(output)?.[0], patienceMs);
  return { url: `http://${address}`, process };
}

/** A signer alone in a pod, on the key volume that the test is about. */
export interface SignerPodOptions {
  readonly keys: object;
  readonly securityContext?: object;
  /** More mounts and arguments of the signer. */
  readonly mounts?: readonly object[];
  readonly volumes?: readonly object[];
  readonly args?: readonly string[];
  /** In place of the mount of the whole volume. */
  readonly keysMount?: object;
  /** A second container that follows the same volume with the library. */
  readonly follower?: true;
}

export function signerPod(name: string, options: SignerPodOptions): object {
  const { keys, securityContext, mounts = [], volumes = [], args = [], keysMount, follower } = options;
  const mount = { name: 'keys', mountPath: '/etc/signer/keys', readOnly: true };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 1,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, ...securityContext },
      containers: [
        {
          name: 'signer',
          image: images.signer,
          args: ['serve', '--ops-listen=[$(POD_IP)]:8701', ...args],
          env: [{ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
          volumeMounts: [{ ...mount, ...keysMount }, ...mounts],
          readinessProbe: { httpGet: { path: '/readyz', port: 8701 }, periodSeconds: 1, failureThreshold: 1 },
        },
        ...(follower
          ? [
              {
                name: 'follower',
                image: images.neighbour,
                args: ['follow', '/keys'],
                volumeMounts: [{ ...mount, mountPath: '/keys' }],
              },
            ]
          : []),
      ],
      volumes: [{ name: 'keys', ...keys }, ...volumes],
    },
  };
}

export function secret(
  name: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  more: object = {},
): object {
  const data = Object.fromEntries(
    Object.entries(files).map(([file, content]) => [file, Buffer.from(content).toString('base64')]),
  );
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, data, ...more };
}

/** A copy of the manifests in which keys can be put and images named, as a user would in an overlay. */
export function copyManifests(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'manifests-'));
  cpSync(join(root, 'manifests'), path, { recursive: true });
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

/** Puts a key of 32 random bytes in hex where a kustomization of `manifests` looks for it. */
export function putKey(manifests: string, kustomization: string, key: Uint8Array = randomBytes(32)): void {
  mkdirSync(join(manifests, kustomization, 'keys'), { recursive: true });
  writeFileSync(join(manifests, kustomization, 'keys/orders'), Buffer.from(key).toString('hex'));
}

/** An overlay that changes nothing of a kustomization but its images. Returns its directory. */
export function withTestImages(manifests: string, kustomization: string): string {
  const overlay = join(manifests, `tested-${kustomization.replaceAll('/', '-')}`);
  if (existsSync(overlay)) return overlay;
  mkdirSync(overlay);
  const renamed = (name: string, image: string) => {
    const [newName, newTag] = image.split(/:(?=[^:/]+$)/);
    return { name, newName, newTag: newTag ?? 'latest' };
  };
  const content = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [`../${kustomization}`],
    images: [renamed('sidecar-signer', images.signer), renamed('sidecar-signer-demo', images.neighbour)],
  };
  writeFileSync(join(overlay, 'kustomization.yaml'), JSON.stringify(content));
  return overlay;
}

/** The objects that a kustomization of `manifests` comes to. */
export function kustomize(directory: string): string {
  return execute(['kustomize', directory]).toString();
}
