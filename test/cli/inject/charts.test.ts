/**
 * Public charts and manifests, made small, go through `inject`: what comes out is valid, and differs from what went in
 * by what was added alone.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { inject } from '../../../src/cli/inject/inject.ts';
import { defaults, type InjectOptions } from '../../../src/cli/inject/options.ts';
import { type KubernetesObject, schemaProblems } from '../../support/kubernetes-schema.ts';

const folder = join(import.meta.dirname, 'charts');
const charts = readdirSync(folder).map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));

/** The workloads that `--all` refuses, and what their message says. */
const refused: Readonly<Record<string, Readonly<Record<string, RegExp>>>> = {
  'elasticsearch.yaml': { 'StatefulSet/search-data': /container sysctl is privileged/ },
  'grafana.yaml': { 'Deployment/charts-grafana': /service account charts-grafana may read the Secret/ },
  'kube-prometheus-node-exporter.yaml': { 'DaemonSet/node-exporter': /hostPID is true/ },
  'longhorn.yaml': { 'DaemonSet/disk-manager': /container disk-manager is privileged/ },
  'velero.yaml': { 'DaemonSet/node-agent': /\/var\/lib\/kubelet\/pods/ },
};
/** The workloads that `--all` leaves alone, and why. */
const skipped: Readonly<Record<string, Readonly<Record<string, RegExp>>>> = {
  'airflow.yaml': { 'Job/flow-create-user': /hook/ },
  'cert-manager.yaml': { 'Job/certs-startupapicheck': /hook/ },
  'consul.yaml': { 'Job/mesh-cleanup': /hook/ },
  'elasticsearch.yaml': { 'Pod/search-test': /hook/ },
  'gitea.yaml': { 'Pod/git-test-connection': /hook/ },
  'grafana.yaml': { 'Pod/charts-grafana-test': /hook/ },
  'kibana.yaml': { 'Job/pre-install-panel': /hook/ },
  'minio.yaml': { 'Job/objects-post-job': /hook/ },
  'podinfo.json': {
    'ReplicaSet/info-5d8f8c7f9b': /belongs to Deployment/,
    'Pod/info-5d8f8c7f9b-2xq5m': /belongs to ReplicaSet/,
  },
  'superset.yaml': { 'Job/insight-init-db': /hook/ },
};
/** Those in which the application has the signer's usual user, so that the signer has another. */
const otherUsers: Readonly<Record<string, readonly string[]>> = {
  'ingress-nginx.yaml': ['Job/edge-admission-create'],
  'kube-prometheus-node-exporter.yaml': ['DaemonSet/node-exporter'],
  'traefik.yaml': ['Deployment/front'],
};
/** Lines in flow style, which get something in their place, and cannot be whole any more. */
const rewritten: Readonly<Record<string, readonly RegExp[]>> = {
  'fluent-bit.yaml': [/^ {10}\[\]$/],
  'jaeger.yaml': [/- \{name: agent, .*\}$/],
  'jenkins.yaml': [/^ {12}\[\]$/],
  'restic-verifier.yaml': [/^ {10}env: \[.*\]$/],
};

type Fields = Record<string, unknown>;
interface Container extends Fields {
  name: string;
  env?: { name: string }[];
  volumeMounts?: { name: string; mountPath: string }[];
}
interface PodSpec extends Fields {
  containers: Container[];
  initContainers?: Container[];
  volumes?: { name: string }[];
}
interface Template {
  metadata?: { annotations?: Fields };
  spec: PodSpec;
}
interface Workload extends KubernetesObject {
  metadata: { name: string };
}

const run = (text: string, options: Partial<InjectOptions> = {}) =>
  inject(text, { ...defaults, all: true, ...options });
const title = ({ kind, metadata }: Workload) => `${kind}/${metadata.name}`;

/** The objects of a stream, as kubectl reads it. */
function objectsIn(text: string): readonly Workload[] {
  return parseAllDocuments(text, { version: '1.1', merge: true }).flatMap((document) => {
    expect(document.errors).toEqual([]);
    const value = document.toJS() as (Workload & { items?: Workload[] }) | null;
    return value?.items ?? value ?? [];
  });
}

function templateOf(object: object): Template | undefined {
  const { kind, spec } = object as { kind: string; spec: Fields };
  if (kind === 'Pod') return object as unknown as Template;
  if (kind === 'CronJob') return templateOf({ kind: 'Job', spec: (spec['jobTemplate'] as Fields)['spec'] });
  return /^(?:Deployment|StatefulSet|DaemonSet|ReplicaSet|Job)$/.test(kind)
    ? (spec['template'] as Template)
    : undefined;
}
const workloads = (text: string) => objectsIn(text).filter((each) => templateOf(each) !== undefined);
const signerOf = (object: Workload) =>
  templateOf(object)?.spec.initContainers?.find(
    ({ name, restartPolicy }) => name === 'signer' && restartPolicy === 'Always',
  );

/** Written down here once more, and not taken from the program: a workload without all that may be added to one. */
function withoutSigner(object: Workload, original: Workload): Workload {
  const copy = structuredClone(object);
  const [template, before] = [templateOf(copy), templateOf(original)];
  if (template === undefined || before === undefined) return copy;
  const isOurs = ({ name }: { name: string }) =>
    ['signer-keys', 'signer-config', 'signer-socket'].includes(name);
  const put = (owner: Fields, key: string, list: readonly unknown[] | undefined, was: unknown) => {
    if (list?.length) owner[key] = list;
    else if (was === undefined) delete owner[key];
    else owner[key] = was;
  };
  const { spec } = template;
  for (const key of ['automountServiceAccountToken', 'enableServiceLinks', 'shareProcessNamespace']) {
    if (before.spec[key] === undefined && spec[key] === false) delete spec[key];
  }
  put(
    spec,
    'volumes',
    spec.volumes?.filter((each) => !isOurs(each)),
    before.spec.volumes,
  );
  put(
    spec,
    'initContainers',
    spec.initContainers?.filter(({ name }) => name !== 'signer'),
    before.spec.initContainers,
  );
  for (const kind of ['containers', 'initContainers'] as const) {
    for (const container of spec[kind] ?? []) {
      const was = before.spec[kind]?.find(({ name }) => name === container.name);
      put(
        container,
        'env',
        container.env?.filter(({ name }) => name !== 'SIGNER_SOCKET'),
        was?.env,
      );
      put(
        container,
        'volumeMounts',
        container.volumeMounts?.filter((each) => !isOurs(each)),
        was?.volumeMounts,
      );
    }
  }
  const annotations = { ...template.metadata?.annotations };
  delete annotations['sidecar-signer/injected'];
  const had = before.metadata;
  if (had === undefined) delete template.metadata;
  else if (template.metadata !== undefined) {
    const list = Object.keys(annotations).length > 0 ? annotations : had.annotations;
    if (list === undefined) delete template.metadata.annotations;
    else template.metadata.annotations = list;
  }
  return copy;
}

/** The lines of a text that are not in the other one, in the order in which they are in both. */
function missingLines(text: string, inside: string): readonly string[] {
  const lines = inside.split('\n');
  let at = 0;
  return text.split('\n').filter((line) => {
    const found = lines.indexOf(line, at);
    if (found < 0) return true;
    at = found + 1;
    return false;
  });
}

/** Whether all characters of a text are in another one, in their order: all that happened is that some were added. */
function isWithin(text: string, other: string): boolean {
  let at = 0;
  for (const character of other) if (character === text[at]) at++;
  return at === text.length;
}

describe.each(charts)('$name', ({ name, text }) => {
  const mustForce = Object.hasOwn(refused, name);
  const result = run(text, { force: mustForce });
  const before = objectsIn(text);
  const after = objectsIn(result.text);
  const isSkipped = (object: Workload) => Object.hasOwn(skipped[name] ?? {}, title(object));
  const changes = workloads(text)
    .filter((each) => !isSkipped(each))
    .map(title);

  it('is refused as a whole where a workload undoes the protection of the key, and said why', () => {
    const { text: written, exitCode, summary, problems } = run(text);
    expect(problems).toEqual([]);
    const reasons = (action: string) =>
      Object.fromEntries(
        summary
          .filter((each) => each.action === action)
          .map((each) => [each.workload, each.reasons.join(' ')]),
      );
    const matching = (wanted: Readonly<Record<string, RegExp>> = {}) =>
      Object.fromEntries(Object.entries(wanted).map(([each, says]) => [each, expect.stringMatching(says)]));
    expect(reasons('refused')).toEqual(matching(refused[name]));
    expect(reasons('skipped')).toEqual(matching(skipped[name]));
    expect([exitCode, written === '']).toEqual(mustForce ? [1, true] : [0, false]);
  });

  it('gets a signer in every workload that is not skipped, which no application is like', () => {
    expect(result.exitCode).toBe(0);
    expect(changes.length).toBeGreaterThan(0);
    expect(after.filter((each) => signerOf(each)).map(title)).toEqual(changes);
    const unusual: string[] = [];
    for (const object of after.filter((each) => signerOf(each))) {
      const { spec } = templateOf(object) as Template;
      const [signer, ...others] = spec.initContainers ?? [];
      expect(signer?.name).toBe('signer');
      const uid = userOf(signer);
      if (uid !== 65_532) unusual.push(title(object));
      const applications = [...others, ...spec.containers];
      const users = applications.map((each) => userOf(each) ?? userOf(spec));
      expect(users).not.toContain(uid);
      for (const { volumeMounts = [], env = [] } of applications) {
        expect(volumeMounts.map((mount) => mount.name)).toContain('signer-socket');
        expect(volumeMounts.map((mount) => mount.name)).not.toContain('signer-keys');
        expect(env.map((each) => each.name)).toContain('SIGNER_SOCKET');
      }
    }
    expect(unusual).toEqual(otherUsers[name] ?? []);
  });

  it('differs by what was added alone', () => {
    expect(after.map((each, index) => withoutSigner(each, before[index] as Workload))).toEqual(before);
    // JSON has commas, which come and go.
    if (name.endsWith('.json')) expect(isWithin(text, result.text)).toBe(true);
    else {
      const gone = missingLines(text, result.text);
      expect(gone).toEqual((rewritten[name] ?? []).map((line) => expect.stringMatching(line)));
      expect(gone.filter((line) => !isWithin(line.trim(), result.text))).toEqual([]);
    }
  });

  it('is the same after a second pass, and as it was after --remove', () => {
    expect(run(result.text, { force: mustForce }).text).toBe(result.text);
    expect(run(result.text, { remove: true }).text).toBe(text);
  });
});

it('makes what is valid against the schema of a current Kubernetes, without an unknown field', async () => {
  const results = charts.flatMap(({ text }) => workloads(run(text, { force: true }).text));
  expect(results.length).toBeGreaterThan(charts.length);
  // The API server drops fields that are null.
  expect(await schemaProblems(withoutNulls(results))).toEqual([]);
});

it('was tried with thirty projects and more, and with what their writers do', () => {
  expect(charts.length).toBeGreaterThanOrEqual(30);
  for (const { name, text } of charts) expect([name, /Shape of: |shape-of/.test(text)]).toEqual([name, true]);
  // A formatter would remove these.
  const peculiar: Readonly<Record<string, RegExp>> = {
    'CRLF in every line': /^(?:[^\n]*\r\n)+$/,
    'no line end at the end': /[^\n]$/,
    'a tab in a block scalar': /^ +\t/m,
    'spaces at the end of a line': /\S +$/m,
    'a line of spaces': /^ +$/m,
    'an empty list below its key': /:\n +\[\]$/m,
    'a field without a value': /^ +env:\n +#/m,
    'a sequence that is not indented': /^( +)containers:\n\1- /m,
    'an item whose first line is a comment': /- #/,
    'a container in flow style': /- \{name: \w+, image:/,
    'flow style over several lines': /\[\n(?: .*\n)+ +\]/,
    'an alias': /: \*\w/,
    'a merge': /<<: \*/,
    'an empty document': /^---\n\s*---$/m,
    JSON: /^\{/,
  };
  for (const [what, shape] of Object.entries(peculiar)) {
    expect([what, charts.filter(({ text }) => shape.test(text)).length > 0]).toEqual([what, true]);
  }
});

function userOf(owner: Fields | undefined): number | undefined {
  return (owner?.['securityContext'] as { runAsUser?: number } | undefined)?.runAsUser;
}

function withoutNulls<T>(value: T): T {
  if (Array.isArray(value)) return value.filter((each) => each !== null).map(withoutNulls) as T;
  if (typeof value !== 'object' || value === null) return value;
  const present = Object.entries(value).filter(([, each]) => each !== null);
  return Object.fromEntries(present.map(([key, each]) => [key, withoutNulls(each)])) as T;
}
