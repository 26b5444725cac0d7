/** What `inject` adds, and to which objects. */

import { describe, expect, it } from 'vitest';
import packageJson from '../../../package.json' with { type: 'json' };
import { inject } from '../../../src/cli/inject/inject.ts';
import {
  deployment,
  documentsOf,
  envOf,
  injectAll,
  reportOf,
  signerOf,
  stream,
  templateOf,
  withContainer,
} from './manifests.ts';

const variable = { name: 'SIGNER_SOCKET', value: '/run/signer/signer.sock' };
const mount = { name: 'signer-socket', mountPath: '/run/signer', readOnly: true };
const label = { 'sidecar-signer/inject': 'true' };

describe('a workload gets', () => {
  it('the signer as a native sidecar, and nothing else', () => {
    const { metadata, spec } = templateOf(deployment());
    expect(Object.keys(metadata?.annotations ?? {})).toEqual(['sidecar-signer/injected']);
    expect(spec).toEqual({
      containers: [{ name: 'web', image: 'shop:1', env: [variable], volumeMounts: [mount] }],
      initContainers: [
        {
          name: 'signer',
          image: `sidecar-signer:${packageJson.version}`,
          restartPolicy: 'Always',
          args: ['serve'],
          env: [
            { name: 'SIGNER_CONFIG', value: '/etc/signer/config/signer.yaml' },
            { name: 'SIGNER_LISTEN', value: 'none' },
            variable,
            { name: 'SIGNER_SOCKET_MODE', value: '0666' },
            { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
            { name: 'SIGNER_OPS_LISTEN', value: '[$(POD_IP)]:8701' },
          ],
          ports: [{ name: 'signer-ops', containerPort: 8701 }],
          volumeMounts: [
            { name: 'signer-keys', mountPath: '/etc/signer/keys', readOnly: true },
            { name: 'signer-config', mountPath: '/etc/signer/config', readOnly: true },
            { name: 'signer-socket', mountPath: '/run/signer' },
          ],
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 65_532,
            runAsGroup: 65_532,
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
            seccompProfile: { type: 'RuntimeDefault' },
          },
          resources: { requests: { cpu: '50m', memory: '48Mi' }, limits: { memory: '96Mi' } },
          startupProbe: {
            httpGet: { path: '/readyz', port: 'signer-ops' },
            periodSeconds: 1,
            failureThreshold: 86_400,
          },
          readinessProbe: {
            httpGet: { path: '/readyz', port: 'signer-ops' },
            periodSeconds: 1,
            timeoutSeconds: 5,
            failureThreshold: 1,
          },
          livenessProbe: {
            httpGet: { path: '/livez', port: 'signer-ops' },
            periodSeconds: 10,
            timeoutSeconds: 5,
          },
        },
      ],
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      shareProcessNamespace: false,
      volumes: [
        { name: 'signer-keys', secret: { secretName: 'signer-keys', defaultMode: 0o444 } },
        { name: 'signer-config', configMap: { name: 'signer-config' } },
        { name: 'signer-socket', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
      ],
    });
  });

  it('the socket in its init containers, too, which start after the signer', () => {
    const { spec } = templateOf(deployment({ initContainers: [{ name: 'migrate', image: 'shop:1' }] }));
    expect(spec.initContainers?.map(({ name }) => name)).toEqual(['signer', 'migrate']);
    expect(spec.initContainers?.[1]).toMatchObject({ env: [variable], volumeMounts: [mount] });
  });

  it('with --classic, the signer as the last ordinary container, and no socket in init containers', () => {
    const migrate = { name: 'migrate', image: 'shop:1' };
    const options = { classic: true };
    const { spec } = templateOf(deployment({ initContainers: [migrate] }), options);
    expect(spec.containers.map(({ name }) => name)).toEqual(['web', 'signer']);
    expect(spec.initContainers).toEqual([migrate]);
    const signer = signerOf(deployment(), options);
    expect(signer).not.toHaveProperty('restartPolicy');
    expect(signer['startupProbe']).toMatchObject({ httpGet: { path: '/livez' }, failureThreshold: 30 });
    expect(envOf(signer)).toMatchObject({ SIGNER_SHUTDOWN_DELAY: '10' });
  });

  it.each([
    [5, '0'],
    [10, '4'],
    [30, '10'],
    [300, '10'],
  ])('with --classic and %i seconds to end, a shutdown delay of %s', (seconds, delay) => {
    const signer = signerOf(deployment({ terminationGracePeriodSeconds: seconds }), { classic: true });
    expect(envOf(signer)['SIGNER_SHUTDOWN_DELAY']).toBe(delay);
  });

  it('the switches of the pod only where they are absent', () => {
    const given = { automountServiceAccountToken: true, enableServiceLinks: true };
    const { spec } = templateOf(deployment(given));
    expect(spec).toMatchObject({ ...given, shareProcessNamespace: false });
    expect(reportOf(deployment(given)).switches).toEqual(['shareProcessNamespace']);
  });

  it('what the flags say', () => {
    const options = {
      image: 'registry.example.com/signer@sha256:abc',
      secret: 'keys',
      configMap: 'rules',
      socket: '/sockets/hmac/s.sock',
      cpu: '1',
      cpuLimit: '2',
      memory: '64Mi',
      memoryLimit: '128Mi',
      opsPort: 9999,
      uid: 1234,
      env: { SIGNER_LOG_LEVEL: 'warn', SIGNER_SOCKET_MODE: '0660' },
    };
    const { spec } = templateOf(deployment(), options);
    expect(spec.volumes).toMatchObject([
      { secret: { secretName: 'keys' } },
      { configMap: { name: 'rules' } },
      { name: 'signer-socket' },
    ]);
    expect(spec.containers[0]).toMatchObject({
      env: [{ name: 'SIGNER_SOCKET', value: '/sockets/hmac/s.sock' }],
      volumeMounts: [{ name: 'signer-socket', mountPath: '/sockets/hmac' }],
    });
    const signer = signerOf(deployment(), options);
    expect(signer).toMatchObject({
      image: 'registry.example.com/signer@sha256:abc',
      ports: [{ containerPort: 9999 }],
      securityContext: { runAsUser: 1234, runAsGroup: 1234 },
      resources: { requests: { cpu: '1', memory: '64Mi' }, limits: { cpu: '2', memory: '128Mi' } },
    });
    expect(envOf(signer)).toMatchObject({
      SIGNER_SOCKET: '/sockets/hmac/s.sock',
      SIGNER_OPS_LISTEN: '[$(POD_IP)]:9999',
      SIGNER_LOG_LEVEL: 'warn',
      SIGNER_SOCKET_MODE: '0660',
    });
  });

  it('no configuration with --config-map none', () => {
    const { spec } = templateOf(deployment(), { configMap: 'none' });
    expect(spec.volumes?.map(({ name }) => name)).toEqual(['signer-keys', 'signer-socket']);
    expect(envOf(signerOf(deployment(), { configMap: 'none' }))).not.toHaveProperty('SIGNER_CONFIG');
  });

  it('a volume for its audit with --audit, which nobody else mounts', () => {
    const { spec } = templateOf(deployment(), { audit: true });
    expect(spec.volumes?.at(-1)).toEqual({ name: 'signer-audit', emptyDir: {} });
    const signer = signerOf(deployment(), { audit: true });
    expect(envOf(signer)['SIGNER_AUDIT']).toBe('/var/log/signer/audit.log');
    expect(signer['volumeMounts']).toContainEqual({ name: 'signer-audit', mountPath: '/var/log/signer' });
    expect(JSON.stringify(spec.containers)).not.toContain('signer-audit');
  });

  it('with --tcp, a signer on the loopback of the pod, and nothing in its containers', () => {
    const { spec } = templateOf(deployment(), { tcp: true });
    expect(spec.containers).toEqual([{ name: 'web', image: 'shop:1' }]);
    expect(spec.volumes?.map(({ name }) => name)).toEqual(['signer-keys', 'signer-config']);
    const env = envOf(signerOf(deployment(), { tcp: true }));
    for (const name of ['SIGNER_LISTEN', 'SIGNER_SOCKET', 'SIGNER_SOCKET_MODE'])
      expect(env).not.toHaveProperty(name);
    expect(reportOf(deployment(), { tcp: true }).notes.join()).toMatch(
      /every container of the pod can use the signer/,
    );
  });

  it('its keys from the CSI driver with --secret-provider-class', () => {
    const { spec } = templateOf(deployment(), { secretProviderClass: 'vault' });
    expect(spec.volumes?.[0]).toEqual({
      name: 'signer-keys',
      csi: {
        driver: 'secrets-store.csi.k8s.io',
        readOnly: true,
        volumeAttributes: { secretProviderClass: 'vault' },
      },
    });
  });

  it('on the network of its node, probes on the loopback', () => {
    const signer = signerOf(deployment({ hostNetwork: true }));
    expect(envOf(signer)['SIGNER_OPS_LISTEN']).toBe('127.0.0.1:8701');
    expect(JSON.stringify(signer)).not.toContain('POD_IP');
    for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
      expect(signer[probe]).toMatchObject({ httpGet: { host: '127.0.0.1', port: 8701 } });
    }
    expect(reportOf(deployment({ hostNetwork: true })).notes.join()).toMatch(/127\.0\.0\.1:8701 of the node/);
  });

  it('another user for the signer if the application has the usual one', () => {
    const containers = [
      { name: 'web', securityContext: { runAsUser: 65_532 } },
      { name: 'worker', securityContext: { runAsUser: 65_531 } },
    ];
    const { securityContext } = signerOf(deployment({ containers }));
    expect(securityContext).toMatchObject({ runAsUser: 65_530, runAsGroup: 65_530 });
    const ofPod = deployment({ securityContext: { runAsUser: 65_532 } });
    expect(signerOf(ofPod)['securityContext']).toMatchObject({ runAsUser: 65_531 });
    expect(reportOf(ofPod).notes).toEqual([
      'the signer runs as user 65531, because the application has user 65532',
    ]);
  });
});

describe('the socket', () => {
  const containers = [{ name: 'web' }, { name: 'worker' }, { name: 'istio-proxy' }];

  it('is given to every container, and companions are named', () => {
    const report = reportOf(deployment({ containers }));
    expect(report.containers).toEqual(['web', 'worker', 'istio-proxy']);
    expect(report.notes).toEqual([
      'istio-proxy can use the signer, too; to prevent it, give --containers web,worker',
    ]);
  });

  it('is given to the containers of --containers alone', () => {
    const { spec } = templateOf(deployment({ containers }), { containers: ['worker'] });
    expect(spec.containers[0]).toEqual({ name: 'web' });
    expect(spec.containers[1]).toMatchObject({ env: [variable] });
    expect(reportOf(deployment({ containers }), { containers: ['worker', 'other'] }).notes).toEqual([
      'it has no container other',
    ]);
  });

  it('is refused if none of the containers is there', () => {
    expect(reportOf(deployment(), { containers: ['other'] })).toMatchObject({
      action: 'refused',
      reasons: ['it has none of the containers other'],
    });
  });

  it('is one for each caller, at the same path', () => {
    const callers = [
      { name: 'web', containers: ['web'] },
      { name: 'jobs', containers: ['worker'] },
    ];
    const { spec } = templateOf(deployment({ containers }), { callers });
    expect(spec.containers).toEqual([
      { name: 'web', env: [variable], volumeMounts: [{ ...mount, name: 'signer-socket-web' }] },
      { name: 'worker', env: [variable], volumeMounts: [{ ...mount, name: 'signer-socket-jobs' }] },
      { name: 'istio-proxy' },
    ]);
    const signer = signerOf(deployment({ containers }), { callers });
    expect(envOf(signer)['SIGNER_SOCKET']).toBe(
      'web=/run/signer/web/signer.sock,jobs=/run/signer/jobs/signer.sock',
    );
    expect(signer['volumeMounts']).toEqual(
      expect.arrayContaining([
        { name: 'signer-socket-web', mountPath: '/run/signer/web' },
        { name: 'signer-socket-jobs', mountPath: '/run/signer/jobs' },
      ]),
    );
  });

  it('stays where the application has the same variable already', () => {
    const from = withContainer({ env: [variable] });
    expect(templateOf(from).spec.containers[0]?.['env']).toEqual([variable]);
    const once = injectAll(from).text;
    expect(inject(once, { remove: true }).text).toBe(stream(from));
  });
});

describe('of the objects in a stream', () => {
  const template = { spec: { containers: [{ name: 'web' }] } };

  it.each([
    ['Deployment', 'apps/v1', { template }],
    ['StatefulSet', 'apps/v1', { template }],
    ['DaemonSet', 'apps/v1', { template }],
    ['ReplicaSet', 'apps/v1', { template }],
    ['Job', 'batch/v1', { template }],
    ['CronJob', 'batch/v1', { jobTemplate: { spec: { template } } }],
    ['Pod', 'v1', template.spec],
  ])('a %s gets the signer', (kind, apiVersion, spec) => {
    const from = { apiVersion, kind, metadata: { name: 'x' }, spec };
    expect(signerOf(from).name).toBe('signer');
    expect(reportOf(from)).toMatchObject({ workload: `${kind}/x`, action: 'added' });
  });

  it.each([
    ['Deployment', 'example.com/v1'],
    ['Pod', 'example.com/v1'],
    ['StatefulSet', 'apps.kruise.io/v1beta1'],
    ['Rollout', 'argoproj.io/v1alpha1'],
    ['ConfigMap', 'v1'],
  ])('a %s of %s stays as it is', (kind, apiVersion) => {
    const from = stream({ apiVersion, kind, metadata: { name: 'x', labels: label }, spec: { template } });
    expect(inject(from, { all: true })).toEqual({ text: from, exitCode: 0, summary: [], problems: [] });
  });

  it('those with the label are changed: on themselves or on their pods', () => {
    const onPods = deployment();
    const from = [
      deployment({}, { name: 'one', labels: label }),
      {
        ...onPods,
        spec: { template: { metadata: { labels: label }, spec: { containers: [{ name: 'web' }] } } },
      },
      deployment({}, { name: 'three' }),
    ];
    expect(injectAll(from, { all: false }).summary.map(({ action }) => action)).toEqual([
      'added',
      'added',
      'skipped',
    ]);
  });

  it.each([
    [{ 'sidecar-signer/inject': 'false' }, 'its label sidecar-signer/inject is "false"'],
    [
      { 'sidecar-signer/inject': true },
      'its label sidecar-signer/inject is not text; write "true" in quotes',
    ],
  ])('one with the label %j is left alone, even with --all', (labels, reason) => {
    expect(reportOf(deployment({}, { labels }))).toMatchObject({ action: 'skipped', reasons: [reason] });
  });

  it('one that belongs to another is left alone and named', () => {
    const ownerReferences = [{ kind: 'Deployment', name: 'shop' }];
    expect(reportOf(deployment({}, { ownerReferences, labels: label }))).toMatchObject({
      action: 'skipped',
      reasons: ['it belongs to Deployment/shop, which would undo a change; change that one'],
    });
  });

  it('a hook of Helm is left alone with --all, and changed with the label', () => {
    const annotations = { 'helm.sh/hook': 'pre-install' };
    expect(reportOf(deployment({}, { annotations })).action).toBe('skipped');
    expect(reportOf(deployment({}, { annotations, labels: label })).action).toBe('added');
  });

  it('one with a generated name is called by it', () => {
    const { metadata: _, ...rest } = deployment() as { metadata: object };
    expect(reportOf({ ...rest, metadata: { generateName: 'migrate-' } })).toMatchObject({
      workload: 'Deployment/migrate-*',
      action: 'added',
    });
  });

  it('the items of a List are changed, also of lists in lists', () => {
    const items = [
      deployment({}, { name: 'a' }),
      { apiVersion: 'v1', kind: 'List', items: [deployment({}, { name: 'b' })] },
    ];
    const { summary } = injectAll({ apiVersion: 'v1', kind: 'List', items });
    expect(summary.map(({ workload, action }) => [workload, action])).toEqual([
      ['Deployment/a', 'added'],
      ['Deployment/b', 'added'],
    ]);
  });

  it('the summary says where each is', () => {
    const { summary } = injectAll([{ kind: 'ConfigMap' }, deployment({}, { namespace: 'prod' })]);
    expect(summary).toMatchObject([{ workload: 'Deployment/shop', namespace: 'prod', line: 3 }]);
  });

  it('a Pod or Job of a cluster is changed, with a note that it must be replaced', () => {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x', uid: '1' }, spec: template.spec };
    expect(reportOf(pod).notes.join()).toMatch(/cannot change the containers of a Pod that exists/);
    expect(reportOf(deployment({}, { uid: '1' })).notes).toEqual([]);
  });
});

describe('a second pass', () => {
  it('changes nothing in what the API server gives back, with its defaults and sorted fields', () => {
    const once = injectAll(deployment()).text;
    const withDefaults = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(withDefaults);
      if (typeof value !== 'object' || value === null) return value;
      const defaults =
        'image' in value ? { imagePullPolicy: 'IfNotPresent', terminationMessagePolicy: 'File' } : {};
      const more = 'httpGet' in value ? { successThreshold: 1 } : {};
      const entries = Object.entries({ ...value, ...defaults, ...more }).map(
        ([key, each]) => [key, withDefaults(each)] as const,
      );
      return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
    };
    const live = documentsOf(once).map((each) => withDefaults(each) as object);
    expect(reportOf(live).action).toBe('unchanged');
    // And what was added can be removed from it.
    const removed = documentsOf(inject(stream(...live), { remove: true }).text);
    expect(removed).toEqual([withDefaults(deployment())]);
  });

  it.each<[string, (text: string) => string]>([
    ['a variable of the signer', (text) => text.replace('"0666"', '"0777"')],
    ['a mount of the application', (text) => text.replace('readOnly: true', 'readOnly: false')],
    ['a switch of the pod', (text) => text.replace(/ +enableServiceLinks: false\n/, '')],
    ['a volume', (text) => text.replace('secretName: signer-keys', 'secretName: other')],
  ])('puts back %s that was changed', (_, change) => {
    const once = injectAll(deployment()).text;
    const changed = change(once);
    expect(changed).not.toBe(once);
    const { text, summary } = inject(changed, { all: true });
    expect(summary.map(({ action }) => action)).toEqual(['updated']);
    expect(documentsOf(text)[0]).toMatchObject(documentsOf(once)[0] ?? {});
  });

  it('leaves a switch alone that somebody has turned on since', () => {
    const once = injectAll(deployment()).text;
    const changed = once.replace('enableServiceLinks: false', 'enableServiceLinks: true');
    const { text } = inject(changed, { all: true });
    expect(text).toContain('enableServiceLinks: true');
    expect(inject(text, { all: true }).summary).toMatchObject([{ action: 'unchanged' }]);
  });

  it('updates what another version added', () => {
    const old = injectAll(deployment(), { version: '0.0.1', image: 'sidecar-signer:0.0.1' }).text;
    const { text, summary } = inject(old, { all: true });
    expect(summary.map(({ action }) => action)).toEqual(['updated']);
    expect(text).toBe(injectAll(deployment()).text);
  });

  it('brings the signer to a container that came later', () => {
    const once = injectAll(deployment()).text;
    const later = once.replace('      containers:\n', '      containers:\n        - name: late\n');
    expect(later).not.toBe(once);
    expect(inject(later, { all: true }).summary).toMatchObject([
      { action: 'updated', containers: ['late', 'web'] },
    ]);
  });

  it('keeps the signer of a workload that has lost its label, and says so', () => {
    const once = injectAll(deployment()).text;
    const { text, summary } = inject(once);
    expect(text).toBe(once);
    expect(summary[0]?.reasons.join()).toMatch(/^its signer is kept as it is: it has no label/);
  });

  it('refuses a record that it cannot read', () => {
    const broken = injectAll(deployment()).text.replace('{"version"', '{version');
    for (const remove of [false, true]) {
      expect(inject(broken, { all: true, remove }).summary).toMatchObject([
        { action: 'refused', reasons: [expect.stringMatching(/annotation .* cannot be read/)] },
      ]);
    }
  });
});

describe('--remove', () => {
  it('leaves a signer alone that inject did not add', () => {
    const from = stream(deployment({ containers: [{ name: 'web' }, { name: 'signer' }] }));
    const { text, summary } = inject(from, { remove: true });
    expect(text).toBe(from);
    expect(summary).toMatchObject([{ action: 'skipped', reasons: ['it has no signer that inject added'] }]);
  });

  it('keeps what the application has added since', () => {
    const once = injectAll(deployment()).text;
    const later = once.replace(/( +)volumes:\n/, '$&$1  - name: tmp\n$1    emptyDir: {}\n');
    const [removed] = documentsOf(inject(later, { remove: true }).text);
    expect(removed).toEqual(deployment({ volumes: [{ name: 'tmp', emptyDir: {} }] }));
  });

  it('writes nothing from the record but what may have stood in an empty field', () => {
    const once = injectAll(withContainer({ env: [] })).text;
    expect(once).toContain('" []"');
    const forged = once.replace('" []"', '"\\n  hostPID: true"');
    const { text, summary } = inject(forged, { remove: true });
    expect(text).not.toContain('hostPID');
    expect(summary).toMatchObject([{ action: 'removed' }]);
  });
});
