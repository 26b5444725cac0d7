/**
 * A cluster for the tests: that of `KUBECONFIG`, in a namespace of its own. What users do goes through kubectl; what is
 * watched, and what has to be quick, through the API.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '../support/signer.ts';

export interface Namespace extends AsyncDisposable {
  readonly name: string;
  /** Standard output; throws with what kubectl says when it fails. */
  kubectl(args: readonly string[], input?: string): string;
  /** The command in a container of a pod, as kubectl runs it. */
  exec(pod: string, container: string, command: readonly string[], input?: string): Buffer;
  /** By `kubectl apply`. */
  apply(...objects: readonly object[]): void;
  /** A request below the namespace in the API. */
  api(path: string, init?: RequestInit): Promise<Response>;
  /** A JSON merge patch (RFC 7396) by the API. */
  patch(path: string, change: object): Promise<void>;
  pod(name: string): Promise<Pod>;
  /** Waits for the pod's condition Ready. */
  ready(pod: string): Promise<void>;
  /** What a container has printed; nothing before it was started. */
  logs(pod: string, container?: string): Promise<string>;
  /** The lines of a log that are JSON. */
  logged<T>(pod: string, container?: string): Promise<readonly T[]>;
  /** The messages of the pod's events. */
  events(pod: string): Promise<readonly string[]>;
  /** Makes the kubelet look at the pod now, instead of at its next round. */
  nudge(pod: string): Promise<void>;
}

export interface Pod {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly nodeName: string };
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

export interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly containerID?: string;
  readonly state: { readonly running?: object };
}

/** Nothing of a cluster happens at once: images, volumes and probes each take their time. */
export const patienceMs = 120_000;

/** Polls until the probe gives a value, not so often that it would keep the cluster busy. */
export function eventually<T>(probe: () => Promise<T | undefined>): Promise<T> {
  return waitFor(async () => (await probe()) ?? (await delay(50, undefined)), patienceMs);
}

export async function createNamespace(): Promise<Namespace> {
  const name = `signer-test-${randomBytes(4).toString('hex')}`;
  kubectl(['create', 'namespace', name]);
  return openNamespace(name);
}

/** One that is there, or will be; it is deleted like one's own. */
export async function openNamespace(name: string): Promise<Namespace> {
  const proxy = await startProxy();
  const inside = (args: readonly string[], input?: string) => kubectl(['--namespace', name, ...args], input);
  const api = (path: string, init?: RequestInit) =>
    fetch(`${proxy.url}/api/v1/namespaces/${name}/${path}`, init);
  const json = async <T>(path: string) => (await (await succeeded(api(path))).json()) as T;
  await eventually(async () => (await api('serviceaccounts/default')).ok || undefined);

  const patch = async (path: string, change: object) => {
    const headers = { 'content-type': 'application/merge-patch+json' };
    const answer = await succeeded(api(path, { method: 'PATCH', headers, body: JSON.stringify(change) }));
    await answer.arrayBuffer();
  };
  const pod = (each: string) => json<Pod>(`pods/${each}`);
  const logs = async (each: string, container = 'signer') => {
    const answer = await api(`pods/${each}/log?container=${container}`);
    return answer.ok ? answer.text() : '';
  };
  return {
    name,
    kubectl: (args, input) => inside(args, input).toString(),
    exec: (each, container, command, input) =>
      inside(['exec', '--stdin', each, `--container=${container}`, '--', ...command], input),
    apply: (...items) => {
      inside(['apply', '--filename=-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    },
    api,
    patch,
    pod,
    ready: async (each) => {
      await eventually(async () => isReady(await pod(each)) || undefined);
    },
    logs,
    logged: async <T>(each: string, container?: string) =>
      (await logs(each, container))
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as T),
    events: async (each) => {
      const { items } = await json<{ items: { message: string }[] }>(
        `events?fieldSelector=involvedObject.name=${each}`,
      );
      return items.map(({ message }) => message);
    },
    nudge: (each) =>
      patch(`pods/${each}`, { metadata: { annotations: { nudged: randomBytes(4).toString('hex') } } }),
    [Symbol.asyncDispose]: async () => {
      proxy.process.kill();
      kubectl(['delete', 'namespace', name, '--wait=false', '--ignore-not-found']);
    },
  };
}

function isReady({ status }: Pod): boolean {
  return status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
}

async function succeeded(request: Promise<Response>): Promise<Response> {
  const response = await request;
  if (!response.ok) throw new Error(`the API answers ${response.status}: ${await response.text()}`);
  return response;
}

/** Standard output; throws with what kubectl says when it fails. */
export function kubectl(args: readonly string[], input?: string): Buffer {
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
