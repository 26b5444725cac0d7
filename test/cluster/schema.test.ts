/** Every kustomization against the schema of a current Kubernetes, and against what the manifests promise. */

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { inject } from '../../src/cli/inject/inject.ts';
import { page } from '../support/docs.ts';
import { hasSchema, schemaProblems } from '../support/kubernetes-schema.ts';
import { copyManifests } from './manifests.ts';
import { type PodSpec, podSecurityViolations, podSpec, type Workload } from './pod-security.ts';

const root = join(import.meta.dirname, '../..');
/** Built without change; the sidecar is added to a Deployment that knows nothing of it. */
const kustomizations = [
  'two-container-pod',
  'two-callers',
  'deployment',
  'overlays/prod',
  'overlays/test',
  'adopted',
  'with-pull-secret',
  'with-network-policy',
];

interface Policy {
  readonly podSelector: { readonly matchLabels: object };
  readonly policyTypes: readonly string[];
  readonly ingress: readonly {
    readonly from?: readonly object[];
    readonly ports: readonly {
      readonly protocol?: string;
      readonly port: number | string;
      readonly endPort?: number;
    }[];
  }[];
}

const application = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'theirs' },
  spec: {
    selector: { matchLabels: { app: 'theirs' } },
    template: {
      metadata: { labels: { app: 'theirs' } },
      spec: {
        initContainers: [hardened('migrate', [])],
        containers: [hardened('web', [{ name: 'tmp', mountPath: '/tmp' }]), hardened('worker', undefined)],
        securityContext: { runAsNonRoot: true, fsGroup: 1234, seccompProfile: { type: 'RuntimeDefault' } },
        volumes: [{ name: 'tmp', emptyDir: {} }],
      },
    },
  },
};

function read(text: string): readonly Workload[] {
  return parseAllDocuments(text)
    .map((each) => each.toJS() as Workload)
    .filter(({ kind }) => kind !== 'SocketMount');
}

function hardened(name: string, volumeMounts: object[] | undefined): object {
  const securityContext = {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    runAsUser: 1000,
  };
  return {
    name,
    image: 'registry.example.com/theirs:1',
    securityContext,
    ...(volumeMounts && { volumeMounts }),
  };
}

describe('the manifests', () => {
  const manifests = copyManifests();
  const built = new Map<string, readonly Workload[]>();
  const build = (name: string) => {
    const known = built.get(name);
    if (known !== undefined) return known;
    const objects = read(manifests.build(name));
    built.set(name, objects);
    return objects;
  };

  beforeAll(() => {
    for (const each of ['two-container-pod', 'two-callers', 'overlays/prod', 'overlays/test'])
      manifests.putKey(each, randomBytes(32));
    manifests.putKey('two-callers', randomBytes(32), 'payouts');
    const write = (name: string, kustomization: object) => {
      mkdirSync(join(manifests.path, name));
      writeFileSync(join(manifests.path, name, 'kustomization.yaml'), stringify(kustomization));
      writeFileSync(join(manifests.path, name, 'deployment.yaml'), stringify(application));
    };
    // As the page says, in a clone beside it.
    const [configuration, kustomization] = [
      '3. Declare what the key may be used for',
      '4. Add the component and apply',
    ]
      .flatMap((heading) => page('docs/kubernetes/kustomize.md').blocksUnder(heading, 'yaml'))
      .map(({ code }) => code);
    write('adopted', { ...parse(kustomization ?? ''), components: ['../sidecar'] });
    writeFileSync(join(manifests.path, 'adopted/signer.yaml'), configuration ?? '');
    write('with-network-policy', {
      resources: ['deployment.yaml'],
      components: ['../sidecar', '../network-policy'],
      // As the page says, for a Prometheus in another namespace.
      ...parse(page('docs/kubernetes/pod.md').blocksUnder('NetworkPolicy', 'yaml').at(-1)?.code ?? ''),
    });
    write('with-pull-secret', {
      resources: ['../deployment'],
      components: ['../image-pull-secret'],
    });
  });
  afterAll(() => manifests[Symbol.dispose]());

  test.each(kustomizations)(
    '%s is valid against the schema of a current Kubernetes, without an unknown field',
    async (name) => {
      const objects = build(name);
      expect(objects.length).toBeGreaterThan(0);
      expect(await schemaProblems(objects)).toEqual([]);
    },
  );

  test('are found invalid with a planted field, type or quantity (the control of the test above)', async () => {
    const plant = async (change: (pod: NonNullable<ReturnType<typeof podSpec>>) => void) => {
      const copy = structuredClone(build('adopted'));
      const spec = copy.map(podSpec).find((each) => each !== undefined);
      if (spec === undefined) throw new Error('no workload');
      change(spec);
      return (await schemaProblems(copy)).join();
    };
    const signer = (spec: { initContainers?: readonly object[] }) =>
      (spec.initContainers ?? [])[0] as Record<string, unknown>;
    expect(await plant((spec) => Object.assign(signer(spec), { restartPolcy: 'Always' }))).toMatch(
      /restartPolcy/,
    );
    expect(await plant((spec) => Object.assign(signer(spec), { restartPolicy: true }))).toMatch(
      /restartPolicy/,
    );
    expect(
      await plant((spec) => Object.assign(signer(spec), { resources: { limits: { memory: 'plenty' } } })),
    ).toMatch(/memory/);
    expect(await plant((spec) => Object.assign(spec, { shareProcessNamespaces: false }))).toMatch(
      /shareProcessNamespaces/,
    );
  });

  test.each(kustomizations.filter((name) => name !== 'with-pull-secret'))(
    '%s passes the restricted Pod Security Standard',
    (name) => {
      const workloads = build(name).filter((each) => podSpec(each) !== undefined);
      expect(workloads.length).toBeGreaterThan(0);
      expect(workloads.flatMap(podSecurityViolations)).toEqual([]);
    },
  );

  test.each(kustomizations)(
    '%s lets the signer alone mount the key, and each container be another user',
    (name) => {
      for (const spec of build(name).flatMap((each) => podSpec(each) ?? [])) {
        const containers = [...(spec.initContainers ?? []), ...spec.containers];
        const keys = spec.volumes?.find((volume) => 'secret' in volume)?.name;
        const holdersOf = (volume: string | undefined) =>
          containers.filter(({ volumeMounts }) => volumeMounts?.some(({ name }) => name === volume));
        const holders = holdersOf(keys);
        expect(holders.map((holder) => holder.name)).toEqual(['signer']);
        if (spec.volumes?.some((volume) => volume.name === 'signer-audit')) {
          expect(holdersOf('signer-audit').map((holder) => holder.name)).toEqual(['signer']);
        }
        const signer = holders[0]?.securityContext?.runAsUser;
        const others = containers
          .filter((each) => each.name !== 'signer')
          .map((each) => each.securityContext?.runAsUser);
        expect(others).not.toContain(signer);
        expect(spec).toMatchObject({
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          shareProcessNamespace: false,
        });
        for (const mount of containers
          .filter((each) => each.name !== 'signer')
          .flatMap((each) => each.volumeMounts ?? [])) {
          if (mount.mountPath === '/run/signer') expect(mount.readOnly).toBe(true);
        }
      }
    },
  );

  test('the sidecar starts first, is native, and changes nothing of the application but a mount and a variable', () => {
    const [spec] = build('adopted').flatMap((each) => podSpec(each) ?? []);
    expect(spec?.initContainers?.map(({ name, restartPolicy }) => ({ name, restartPolicy }))).toEqual([
      { name: 'signer', restartPolicy: 'Always' },
      { name: 'migrate', restartPolicy: undefined },
    ]);
    const socket = { name: 'signer-socket', mountPath: '/run/signer', readOnly: true };
    const variable = { name: 'SIGNER_SOCKET', value: '/run/signer/signer.sock' };
    const { containers, securityContext } = application.spec.template.spec;
    const [web, worker] = containers as { volumeMounts?: object[] }[];
    expect(spec?.containers).toEqual([
      { ...web, env: [variable], volumeMounts: [...(web?.volumeMounts ?? []), socket] },
      { ...worker, env: [variable], volumeMounts: [socket] },
    ]);
    expect(spec?.securityContext).toEqual(securityContext);
  });

  test('the sidecar is what inject writes, in every kind of workload', async () => {
    const template = {
      ...application.spec.template,
      spec: { ...application.spec.template.spec, restartPolicy: 'Always' },
    };
    const ends = { ...template, spec: { ...template.spec, restartPolicy: 'Never' } };
    const { selector } = application.spec;
    const workloads = [
      ...['Deployment', 'DaemonSet', 'ReplicaSet'].map((kind) => ({ kind, spec: { selector, template } })),
      { kind: 'StatefulSet', spec: { selector, serviceName: 'theirs', template } },
      { kind: 'Job', spec: { template: ends } },
      { kind: 'CronJob', spec: { schedule: '0 * * * *', jobTemplate: { spec: { template: ends } } } },
    ].map((each) => ({
      apiVersion: each.kind.endsWith('Job') ? 'batch/v1' : 'apps/v1',
      metadata: { name: each.kind.toLowerCase() },
      ...each,
    }));
    const text = workloads.map((each) => `---\n${stringify(each)}`).join('');
    const directory = join(manifests.path, 'every-kind');
    mkdirSync(directory);
    writeFileSync(
      join(directory, 'kustomization.yaml'),
      stringify({ resources: ['all.yaml'], components: ['../sidecar'] }),
    );
    writeFileSync(join(directory, 'all.yaml'), text);
    const injected = inject(text, { all: true, image: 'sidecar-signer:dev' });
    const objects = read(injected.text);
    // kustomize puts new volumes before the others; their order has no meaning.
    const sorted = (spec: PodSpec | undefined) => ({
      ...spec,
      volumes: spec?.volumes?.toSorted((one, other) => one.name.localeCompare(other.name)),
    });
    const podsOf = (each: readonly Workload[]) =>
      new Map(each.map((workload) => [workload.kind, sorted(podSpec(workload))]));
    expect(podsOf(objects).size).toBe(workloads.length);
    expect(podsOf(build('every-kind'))).toEqual(podsOf(objects));
    expect(await schemaProblems(objects)).toEqual([]);
    expect(objects.flatMap(podSecurityViolations)).toEqual([]);
  });

  test.each(['stateful-set', 'cron-job', 'external-secrets', 'csi-driver'])(
    'the example %s is valid after inject, and passes the restricted Pod Security Standard',
    async (name) => {
      const from = readFileSync(join(root, 'manifests/examples', `${name}.yaml`), 'utf8');
      for (const classic of [false, true]) {
        const { text, summary } = inject(from, { classic, force: classic });
        expect(summary).toMatchObject([{ action: 'added' }]);
        const objects = read(text).filter(hasSchema);
        expect(objects.length).toBeGreaterThan(1);
        expect(await schemaProblems(objects)).toEqual([]);
        expect(objects.filter((each) => podSpec(each) !== undefined).flatMap(podSecurityViolations)).toEqual(
          [],
        );
      }
    },
  );

  test('two callers have a socket each, which nobody but the signer mounts too, and the configuration knows both', () => {
    const objects = build('two-callers');
    const [spec] = objects.flatMap((each) => podSpec(each) ?? []);
    const socketsOf = (name: string) =>
      spec?.containers
        .find((each) => each.name === name)
        ?.volumeMounts?.filter((mount) => mount.name.startsWith('signer-socket'));
    const own = (name: string) => ({
      name: `signer-socket-${name}`,
      mountPath: '/run/signer',
      readOnly: true,
    });
    expect(socketsOf('web')).toEqual([own('web')]);
    expect(socketsOf('worker')).toEqual([own('worker')]);
    expect(socketsOf('signer')).toEqual([
      { name: 'signer-socket-web', mountPath: '/run/signer/web' },
      { name: 'signer-socket-worker', mountPath: '/run/signer/worker' },
    ]);
    const [documented] = page('docs/kubernetes/pod.md').blocksUnder('Two applications in one pod', 'yaml');
    const { data } = objects.find(({ kind }) => kind === 'ConfigMap') as { data?: Record<string, string> };
    expect(parse(data?.['signer.yaml'] ?? '')).toEqual(parse(documented?.code ?? ''));
  });

  test('the pull secret is named where it is asked for, and nowhere else', () => {
    const pullSecrets = (name: string) =>
      build(name).flatMap(
        (each) => (podSpec(each) as { imagePullSecrets?: object[] } | undefined)?.imagePullSecrets ?? [],
      );
    expect(pullSecrets('with-pull-secret')).toEqual([{ name: 'registry-credentials' }]);
    expect(pullSecrets('deployment')).toEqual([]);
  });

  test('the overlays differ in namespace, service account, key and images alone', () => {
    const [prod, test] = ['overlays/prod', 'overlays/test'].map(build);
    const of = (objects: readonly Workload[] | undefined, kind: string) =>
      objects?.find((each) => each.kind === kind);
    expect(of(prod, 'Secret')).not.toMatchObject({ data: (of(test, 'Secret') as { data?: object })?.data });
    for (const [objects, name] of [
      [prod, 'shop-prod'],
      [test, 'shop-test'],
    ] as const) {
      expect(of(objects, 'Deployment')).toMatchObject({
        metadata: { namespace: name },
        spec: { template: { spec: { serviceAccountName: name } } },
      });
      expect(of(objects, 'ServiceAccount')).toMatchObject({
        metadata: { name, namespace: name },
        automountServiceAccountToken: false,
      });
      expect(of(objects, 'Namespace')).toMatchObject({
        metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
      });
    }
  });

  test('one signer stands in all of them: the same security context, resources and probes', () => {
    const signers = [
      'two-container-pod',
      'two-callers',
      'deployment',
      'overlays/prod',
      'overlays/test',
      'adopted',
    ]
      .flatMap((name) =>
        build(name).flatMap((each) => [
          ...(podSpec(each)?.initContainers ?? []),
          ...(podSpec(each)?.containers ?? []),
        ]),
      )
      .filter(({ name }) => name === 'signer');
    expect(signers).toHaveLength(6);
    for (const signer of signers) {
      expect(signer.securityContext).toMatchObject({
        runAsUser: 65532,
        runAsGroup: 65532,
        readOnlyRootFilesystem: true,
      });
      expect(signer.resources).toEqual(signers[0]?.resources);
      expect(signer).toMatchObject({
        startupProbe: expect.any(Object),
        // On a busy node an answer may take a second.
        readinessProbe: { periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 1 },
        livenessProbe: { timeoutSeconds: 5 },
      });
    }
  });

  test('all is configured by variables, so that a command run in the container uses what serve uses', () => {
    for (const name of kustomizations) {
      const spec = build(name).flatMap((each) => podSpec(each) ?? [])[0];
      const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
      const signer = containers.find((each) => each.name === 'signer');
      expect({ name, args: signer?.args }).toEqual({ name, args: ['serve'] });
      const env = signer?.env ?? [];
      expect(env).toContainEqual({ name: 'SIGNER_CONFIG', value: '/etc/signer/config/signer.yaml' });
      // A variable can refer to those before it only.
      const names = env.map((each) => each.name);
      expect(env).toContainEqual({ name: 'SIGNER_OPS_LISTEN', value: '[$(POD_IP)]:8701' });
      expect(names.indexOf('POD_IP')).toBeLessThan(names.indexOf('SIGNER_OPS_LISTEN'));
    }
  });

  test('the compose files give no argument to serve either', () => {
    const files = [
      readFileSync(join(root, 'docker/compose.yaml'), 'utf8'),
      ...page('docs/compose.md')
        .blocks.filter(({ language }) => language === 'yaml')
        .map(({ code }) => code),
    ];
    const signers = files.flatMap((text) => {
      const services: Record<string, { command?: unknown; environment?: object }> =
        parse(text, { merge: true }).services ?? {};
      return services['signer'] ?? [];
    });
    expect(signers).toHaveLength(4);
    for (const { command, environment } of signers) {
      expect(command).toBeUndefined();
      expect(environment).toMatchObject({ SIGNER_CONFIG: '/etc/signer/config/signer.yaml' });
    }
  });

  test.each([
    ['deployment', 'monitoring'],
    ['overlays/prod', 'monitoring'],
    ['with-network-policy', 'prometheus'],
  ])(
    '%s opens the ops listener to one namespace, and every port of the application to all',
    (name, namespace) => {
      const objects = build(name);
      const policies = objects
        .filter(({ kind }) => kind === 'NetworkPolicy')
        .map(({ spec }) => spec as Policy);
      expect(policies).toHaveLength(1);
      const workload = objects.find((each) => podSpec(each) !== undefined);
      if (workload === undefined) throw new Error('no workload');
      const { metadata } = (workload.spec as { template: { metadata: { labels: object } } }).template;
      for (const { podSelector, policyTypes, ingress } of policies) {
        expect(metadata.labels).toMatchObject(podSelector.matchLabels);
        expect(policyTypes).toEqual(['Ingress']);
        const containers = [
          ...(podSpec(workload)?.initContainers ?? []),
          ...(podSpec(workload)?.containers ?? []),
        ];
        const named = new Map(
          containers.flatMap(({ ports = [] }) => ports.map((each) => [each.name, each.containerPort])),
        );
        const isIn = (port: number) => (rule: Policy['ingress'][number]) =>
          rule.ports.some(({ protocol = 'TCP', port: first, endPort }) => {
            const from = typeof first === 'string' ? (named.get(first) ?? 0) : first;
            return protocol === 'TCP' && from <= port && port <= (endPort ?? from);
          });
        const admits = (port: number) => ingress.filter(isIn(port)).map(({ from }) => from);
        const onlyFrom = [
          { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } },
        ];
        expect(admits(8701)).toEqual([onlyFrom]);
        const open = name === 'with-network-policy' ? [1, 80, 8080, 8700, 8702, 65535] : [8080];
        for (const port of open) expect([port, admits(port)]).toEqual([port, [undefined]]);
      }
    },
  );

  test('every line of security says why', () => {
    const lines =
      /^\s*(?:automountServiceAccountToken|enableServiceLinks|shareProcessNamespace|runAsNonRoot|fsGroup|seccompProfile|allowPrivilegeEscalation|readOnlyRootFilesystem):/;
    for (const file of [
      'two-container-pod/pod.yaml',
      'two-callers/pod.yaml',
      'deployment/deployment.yaml',
      'sidecar/signer.yaml',
    ]) {
      const text = spawnSync('cat', [join(root, 'manifests', file)])
        .stdout.toString()
        .split('\n');
      const silent = text.filter(
        (line, at) =>
          lines.test(line) &&
          !/^\s*#/.test(text[at - 1] ?? '') &&
          !/securityContext:/.test(text[at - 1] ?? ''),
      );
      expect({ file, silent }).toEqual({ file, silent: [] });
      expect(parse(text.join('\n'))).toBeTypeOf('object');
    }
  });
});
