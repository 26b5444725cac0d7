/** What `inject` refuses, because it would undo the protection of the key or cannot work. */

import { describe, expect, it } from 'vitest';
import { inject } from '../../../src/cli/inject/inject.ts';
import type { InjectOptions } from '../../../src/cli/inject/options.ts';
import { deployment, injectAll, reportOf, stream, withContainer } from './manifests.ts';

type Case = [
  what: string,
  objects: object | readonly object[],
  reason: RegExp,
  options?: Partial<InjectOptions>,
];

const mounting = (volume: object, container: object = {}) =>
  withContainer(
    { volumeMounts: [{ name: 'v', mountPath: '/v' }], ...container },
    { volumes: [{ name: 'v', ...volume }] },
  );
const capability = (...add: readonly string[]) =>
  withContainer({ securityContext: { capabilities: { add } } });
const job = (kind: string) => {
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'web' }] } };
  const spec = kind === 'Job' ? { template } : { jobTemplate: { spec: { template } } };
  return { apiVersion: 'batch/v1', kind, metadata: { name: 'x' }, spec };
};

const risks: readonly Case[] = [
  [
    'a shared process namespace',
    deployment({ shareProcessNamespace: true }),
    /shareProcessNamespace is true/,
  ],
  ['the processes of the node', deployment({ hostPID: true }), /hostPID is true/],
  [
    'a privileged container',
    withContainer({ securityContext: { privileged: true } }),
    /container web is privileged/,
  ],
  [
    'a privileged init container',
    deployment({ initContainers: [{ name: 'init', securityContext: { privileged: true } }] }),
    /container init is privileged/,
  ],
  [
    'a privileged ephemeral container',
    deployment({ ephemeralContainers: [{ name: 'debug', securityContext: { privileged: true } }] }),
    /container debug is privileged/,
  ],
  ['SYS_PTRACE', capability('NET_ADMIN', 'SYS_PTRACE'), /capability SYS_PTRACE,/],
  ['SYS_PTRACE by its long name', capability('CAP_SYS_PTRACE'), /capability SYS_PTRACE/],
  ['SYS_PTRACE in small letters', capability('sys_ptrace'), /capability SYS_PTRACE/],
  ['all capabilities', capability('ALL'), /capability ALL/],
  ...['SYS_ADMIN', 'SYS_MODULE', 'SYS_RAWIO', 'DAC_READ_SEARCH', 'BPF', 'PERFMON'].map(
    (name): Case => [name, capability(name), new RegExp(`capability ${name}`)],
  ),
  [
    'the user that is given to the signer',
    withContainer({ securityContext: { runAsUser: 1234 } }),
    /container web runs as user 1234, too/,
    { uid: 1234 },
  ],
  [
    'the user of the signer in the whole pod',
    deployment({ securityContext: { runAsUser: 1234 } }),
    /runs as user 1234/,
    { uid: 1234 },
  ],
  [
    'a mount of the Secret',
    mounting({ secret: { secretName: 'signer-keys' } }),
    /container web mounts the Secret signer-keys, too/,
  ],
  [
    'a mount of some of its files',
    mounting({ secret: { secretName: 'signer-keys', items: [{ key: 'a', path: 'a' }] } }),
    /mounts the Secret/,
  ],
  [
    'a mount of it by another name',
    mounting({ secret: { secretName: 'other' } }),
    /mounts the Secret other/,
    { secret: 'other' },
  ],
  [
    'a projected mount of it',
    mounting({ projected: { sources: [{ configMap: { name: 'x' } }, { secret: { name: 'signer-keys' } }] } }),
    /mounts the Secret/,
  ],
  [
    'a mount of it in an init container',
    deployment({
      initContainers: [{ name: 'init', volumeMounts: [{ name: 'v', mountPath: '/v' }] }],
      volumes: [{ name: 'v', secret: { secretName: 'signer-keys' } }],
    }),
    /container init mounts the Secret/,
  ],
  [
    'a CSI volume that holds the same',
    [
      {
        apiVersion: 'secrets-store.csi.x-k8s.io/v1',
        kind: 'SecretProviderClass',
        metadata: { name: 'vault' },
        spec: { secretObjects: [{ secretName: 'signer-keys' }] },
      },
      mounting({
        csi: { driver: 'secrets-store.csi.k8s.io', volumeAttributes: { secretProviderClass: 'vault' } },
      }),
    ],
    /mounts the Secret/,
  ],
  [
    'a CSI volume with the credentials of the driver in it',
    mounting({ csi: { driver: 'x', nodePublishSecretRef: { name: 'signer-keys' } } }),
    /mounts the Secret/,
  ],
  [
    'the CSI volume that is the signer’s',
    mounting({
      csi: { driver: 'secrets-store.csi.k8s.io', volumeAttributes: { secretProviderClass: 'vault' } },
    }),
    /mounts the content of the SecretProviderClass vault/,
    { secretProviderClass: 'vault' },
  ],
  ...[
    mounting({ secret: { secretName: 'copy' } }),
    mounting({ projected: { sources: [{ secret: { name: 'copy' } }] } }),
    withContainer({ envFrom: [{ secretRef: { name: 'copy' } }] }),
    withContainer({ env: [{ name: 'KEY', valueFrom: { secretKeyRef: { name: 'copy', key: 'a' } } }] }),
  ].map(
    (object, index): Case => [
      `a Secret that has the content of the signer’s CSI volume (${index})`,
      [
        {
          apiVersion: 'secrets-store.csi.x-k8s.io/v1',
          kind: 'SecretProviderClass',
          metadata: { name: 'vault' },
          spec: { secretObjects: [{ secretName: 'copy' }] },
        },
        object,
      ],
      /content of the SecretProviderClass vault/,
      { secretProviderClass: 'vault' },
    ],
  ),
  [
    'the Secret in a variable',
    withContainer({
      env: [{ name: 'KEY', valueFrom: { secretKeyRef: { name: 'signer-keys', key: 'orders' } } }],
    }),
    /has the Secret signer-keys in its environment/,
  ],
  [
    'the Secret in all variables',
    withContainer({ envFrom: [{ secretRef: { name: 'signer-keys' } }] }),
    /in its environment/,
  ],
  ...[
    '/',
    '/var',
    '/var/lib/kubelet',
    '/var/lib/kubelet/pods/',
    '/proc',
    '//proc/',
    '/run',
    '/var/run/docker.sock',
    '/run/containerd/containerd.sock',
    '/srv/../proc',
    '/etc',
    '/etc/kubernetes/manifests',
    '/etc/rancher/k3s/k3s.yaml',
    '/var/lib',
    '/var/lib/etcd',
    '/var/lib/rancher/k3s/server',
    '/var/lib/k0s',
    '/var/lib/docker',
    '/var/lib/docker/overlay2',
    '/var/lib/containerd',
    '/var/lib/containers',
    '/var/snap/microk8s/common',
    '/run/k3s/containerd/containerd.sock',
    '/run/systemd/private',
    '/var/run/dbus/system_bus_socket',
  ].map(
    (path): Case => [
      `${path} of the node`,
      mounting({ hostPath: { path } }),
      /container web mounts .* of the node/,
    ],
  ),
  [
    'the network of the node with --tcp',
    deployment({ hostNetwork: true }),
    /every process of the node could sign/,
    { tcp: true },
  ],
  ['a Job with --classic', job('Job'), /the Job would never end/, { classic: true }],
  ['a CronJob with --classic', job('CronJob'), /the Job would never end/, { classic: true }],
  [
    'a Pod that must end, with --classic',
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'x' },
      spec: { restartPolicy: 'OnFailure', containers: [{ name: 'web' }] },
    },
    /the pod would never end/,
    { classic: true },
  ],
];

const port = (fields: object) => withContainer({ ports: [fields] });

/** What cannot work, with or without `--force`. */
const conflicts: readonly Case[] = [
  [
    'a container of our name',
    deployment({ containers: [{ name: 'web' }, { name: 'signer' }] }),
    /there is a container "signer"/,
  ],
  [
    'an init container of our name',
    deployment({ initContainers: [{ name: 'signer' }] }),
    /there is a container "signer"/,
  ],
  ...['signer-keys', 'signer-config', 'signer-socket'].map(
    (name): Case => [
      `a volume ${name}`,
      deployment({ volumes: [{ name, emptyDir: {} }] }),
      new RegExp(`volume "${name}"`),
    ],
  ),
  [
    'a claim of a StatefulSet with the name of a volume',
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'x' },
      spec: {
        volumeClaimTemplates: [{ metadata: { name: 'signer-keys' } }],
        template: { spec: { containers: [{ name: 'web' }] } },
      },
    },
    /volumeClaimTemplates has a claim "signer-keys"/,
  ],
  [
    'the volume of a caller',
    deployment({ volumes: [{ name: 'signer-socket-web', emptyDir: {} }] }),
    /volume "signer-socket-web"/,
    { callers: [{ name: 'web', containers: ['web'] }] },
  ],
  ...['signer-keys', 'signer-config', 'signer-socket'].flatMap((name): readonly Case[] => {
    const volumeMounts = [{ name, mountPath: '/x' }];
    return [
      [
        `a mount of ${name} without a volume`,
        withContainer({ volumeMounts }),
        new RegExp(`web mounts a volume "${name}"`),
      ],
      [
        `the same in an init container`,
        deployment({ initContainers: [{ name: 'init', volumeMounts }] }),
        new RegExp(`init mounts a volume "${name}"`),
      ],
      [
        `the same in an ephemeral container`,
        deployment({ ephemeralContainers: [{ name: 'debug', volumeMounts }] }),
        new RegExp(`debug mounts a volume "${name}"`),
      ],
    ];
  }),
  [
    'a mount of the socket of another caller',
    withContainer({ volumeMounts: [{ name: 'signer-socket-other', mountPath: '/x' }] }),
    /web mounts a volume "signer-socket-other"/,
    {
      callers: [
        { name: 'web', containers: ['web'] },
        { name: 'other', containers: ['other'] },
      ],
    },
  ],
  [
    'another variable SIGNER_SOCKET',
    withContainer({ env: [{ name: 'SIGNER_SOCKET', value: '/x/y' }] }),
    /sets SIGNER_SOCKET itself/,
  ],
  [
    'another mount at our place',
    mounting({ emptyDir: {} }, { volumeMounts: [{ name: 'v', mountPath: '/run/signer/' }] }),
    /another mount at \/run\/signer/,
  ],
  ['our port', port({ containerPort: 8701 }), /has the port 8701/],
  ['the signing port with --tcp', port({ containerPort: 8700 }), /has the port 8700/, { tcp: true }],
  ['the name of our port', port({ containerPort: 80, name: 'signer-ops' }), /has a port "signer-ops"/],
  ['a Windows pod', deployment({ nodeSelector: { 'kubernetes.io/os': 'windows' } }), /runs on Windows/],
  ['a pod without containers', deployment({ containers: [] }), /no containers/],
  ['containers that are no list', deployment({ containers: 'web' }), /containers must be a list/],
  ['an empty container', deployment({ containers: [null] }), /containers must be a list of objects/],
  ['a container without a name', deployment({ containers: [{ image: 'x' }] }), /a container has no name/],
  ['variables that are no list', withContainer({ env: { A: 'b' } }), /containers\.web\.env must be a list/],
  ['volumes that are no list', deployment({ volumes: { a: 1 } }), /volumes must be a list/],
];

describe('without --force, it refuses', () => {
  it.each<Case>(risks)('%s', (_, objects, reason, options = {}) => {
    const { text, exitCode, summary } = injectAll(objects, options);
    expect({ text, exitCode }).toEqual({ text: '', exitCode: 1 });
    expect(summary).toMatchObject([{ action: 'refused', isForceable: true }]);
    expect(summary[0]?.reasons).toEqual([expect.stringMatching(reason)]);
  });
});

describe('with --force, it goes on, and says what is undone:', () => {
  it.each<Case>(risks)('%s', (_, objects, reason, options = {}) => {
    const { exitCode, summary } = injectAll(objects, { ...options, force: true });
    expect(exitCode).toBe(0);
    expect(summary).toMatchObject([{ action: 'added' }]);
    expect(summary[0]?.notes.find((note) => note.startsWith('forced, although '))).toMatch(reason);
  });
});

describe('always, it refuses', () => {
  it.each<Case>(conflicts)('%s', (_, objects, reason, options = {}) => {
    for (const force of [false, true]) {
      const { text, exitCode, summary } = injectAll(objects, { ...options, force });
      expect({ text, exitCode }).toEqual({ text: '', exitCode: 1 });
      expect(summary).toMatchObject([{ action: 'refused' }]);
      expect(summary[0]).not.toHaveProperty('isForceable');
      expect(summary[0]?.reasons.join('; ')).toMatch(reason);
    }
  });
});

describe('it does not refuse', () => {
  it.each<[string, object]>([
    ['a process namespace that is not shared', deployment({ shareProcessNamespace: false })],
    ['other capabilities', capability('NET_BIND_SERVICE', 'NET_ADMIN')],
    ['another Secret', mounting({ secret: { secretName: 'tls' } })],
    ['another Secret in the environment', withContainer({ envFrom: [{ secretRef: { name: 'database' } }] })],
    [
      'a volume of the Secret that nobody mounts',
      deployment({ volumes: [{ name: 'v', secret: { secretName: 'signer-keys' } }] }),
    ],
    ['the logs of the node', mounting({ hostPath: { path: '/var/log' } })],
    ['the logs of containers', mounting({ hostPath: { path: '/var/lib/docker/containers' } })],
    ['other files of /etc', mounting({ hostPath: { path: '/etc/ssl/certs' } })],
    ['a directory whose name begins alike', mounting({ hostPath: { path: '/processing' } })],
    ['a port 8701 of UDP', port({ containerPort: 8701, protocol: 'UDP' })],
    ['the port of TCP that the signer does not use', port({ containerPort: 8700 })],
    ['a native sidecar in a Job', job('Job')],
    ['a native sidecar in a CronJob', job('CronJob')],
    ['the network of the node', deployment({ hostNetwork: true })],
  ])('%s', (_, object) => {
    expect(reportOf(object)).toMatchObject({ action: 'added', reasons: [] });
  });

  it('YAML 1.1 counts: an unquoted yes is true', () => {
    const from = stream(deployment()).replace(
      'spec:\n      containers',
      'spec:\n      hostPID: yes\n      containers',
    );
    expect(inject(from, { all: true }).summary).toMatchObject([{ action: 'refused' }]);
  });

  it('binary text in a document that does not change', () => {
    const from = 'kind: Secret\ndata:\n  a: !!binary YQ==\n';
    expect(inject(from, { all: true })).toMatchObject({ text: from, exitCode: 0 });
  });

  it('a workload that is not selected, whatever it has', () => {
    const from = stream(deployment({ hostPID: true, containers: 'x' }));
    expect(inject(from)).toMatchObject({ text: from, exitCode: 0 });
  });
});

it.each(['!!binary', '!<tag:yaml.org,2002:binary>', '!!bin%61ry'])(
  'a name that only kubectl can read is refused: %s',
  (tag) => {
    const from = stream(withContainer({ envFrom: [{ secretRef: { name: 'PLACE' } }] }));
    const { text, problems } = inject(from.replace('PLACE', `${tag} c2lnbmVyLWtleXM=`), { all: true });
    expect(text).toBe('');
    expect(problems).toEqual([expect.stringMatching(/^line \d+: the tag !!binary cannot be read/)]);
  },
);

it('nothing is written if one of several workloads is refused', () => {
  const { text, exitCode, summary } = injectAll([deployment(), deployment({ hostPID: true })]);
  expect({ text, exitCode }).toEqual({ text: '', exitCode: 1 });
  expect(summary.map(({ action }) => action)).toEqual(['added', 'refused']);
});

it('what became dangerous after the first pass is refused in the second', () => {
  const once = injectAll(deployment()).text;
  const changed = once.replace('shareProcessNamespace: false', 'shareProcessNamespace: true');
  expect(inject(changed, { all: true }).summary).toMatchObject([{ action: 'refused' }]);
  const keys = once.replace(
    '      containers:\n        - name: web\n',
    '$&          envFrom: [{ secretRef: { name: signer-keys } }]\n',
  );
  expect(keys).not.toBe(once);
  expect(inject(keys, { all: true }).summary).toMatchObject([{ action: 'refused' }]);
});
