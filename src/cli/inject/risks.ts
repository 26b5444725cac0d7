/** What in a pod undoes the protection of the key, although the signer has a container of its own. */

import { fieldsOf, listOf, textOf, textsOf, valueAt } from './fields.ts';
import type { InjectOptions } from './options.ts';
import { type Container, everyContainer, type Pod } from './workload.ts';

/** With one of these, a process reads the memory or the files of others, or leaves its container. */
const powers = new Set([
  'ALL',
  'SYS_PTRACE',
  'SYS_ADMIN',
  'SYS_MODULE',
  'SYS_RAWIO',
  'DAC_READ_SEARCH',
  'BPF',
  'PERFMON',
]);

/** A reason to refuse, in words that also say what to do. */
export type Risk = string;

/** What else in the stream has the keys. */
export interface SecretNames {
  /** The SecretProviderClasses whose content is also in the Secret. */
  readonly classes: readonly string[];
  /** The Secrets that have the content of the SecretProviderClass in use. */
  readonly copies: readonly string[];
}

export function podRisks(pod: Pod, options: InjectOptions, names: SecretNames): readonly Risk[] {
  const { spec } = pod;
  const applications = everyContainer(pod);
  return [
    ...(spec['shareProcessNamespace'] === true
      ? [
          'shareProcessNamespace is true: the application could read the files of the signer through /proc; set it to false',
        ]
      : []),
    ...(spec['hostPID'] === true
      ? [
          'hostPID is true: the application could read the files of the signer through the /proc of the node; remove it',
        ]
      : []),
    ...(options.tcp && spec['hostNetwork'] === true
      ? ['with hostNetwork and --tcp, every process of the node could sign; leave out --tcp']
      : []),
    ...applications.flatMap((each) => containerRisks(each)),
    ...secretRisks(pod, applications, options, names),
    ...hostPathRisks(pod, applications),
  ];
}

function containerRisks({ name, fields }: Container): readonly Risk[] {
  const { privileged, capabilities } = fieldsOf(fields['securityContext']);
  const added = textsOf(fieldsOf(capabilities)['add']).map((each) => each.toUpperCase().replace(/^CAP_/, ''));
  const found = added.filter((each) => powers.has(each));
  return [
    ...(privileged === true
      ? [
          `container ${name} is privileged: it could read everything on the node, the key too; remove "privileged"`,
        ]
      : []),
    ...(found.length > 0
      ? [
          `container ${name} has the capability ${found.join(', ')}, with which it could reach the signer; remove it`,
        ]
      : []),
  ];
}

/** The application must not have what the signer keeps from it. */
function secretRisks(
  { volumes }: Pod,
  applications: readonly Container[],
  { secret, secretProviderClass }: InjectOptions,
  { classes, copies }: SecretNames,
): readonly Risk[] {
  const usesSecret = secretProviderClass === undefined;
  const secrets: readonly unknown[] = usesSecret ? [secret] : copies;
  const what = usesSecret ? `Secret ${secret}` : `content of the SecretProviderClass ${secretProviderClass}`;
  const holders = volumes.filter((volume) => {
    const className = valueAt(volume, ['csi', 'volumeAttributes', 'secretProviderClass']);
    if (
      className !== undefined &&
      (className === secretProviderClass || (usesSecret && classes.includes(String(className))))
    ) {
      return true;
    }
    const sources = listOf(valueAt(volume, ['projected', 'sources']));
    const named = [
      valueAt(volume, ['secret', 'secretName']),
      valueAt(volume, ['csi', 'nodePublishSecretRef', 'name']),
      ...sources.map((source) => valueAt(source, ['secret', 'name'])),
    ];
    return named.some((each) => secrets.includes(each));
  });
  const risks = new Set<Risk>();
  for (const { name, fields } of applications) {
    for (const mount of listOf(fields['volumeMounts'])) {
      if (holders.some((volume) => volume['name'] === mount['name'])) {
        risks.add(
          `container ${name} mounts the ${what}, too; remove its mount, or keep the keys of the signer in a Secret of their own`,
        );
      }
    }
    const inEnvironment =
      listOf(fields['env']).some((each) =>
        secrets.includes(valueAt(each, ['valueFrom', 'secretKeyRef', 'name'])),
      ) || listOf(fields['envFrom']).some((each) => secrets.includes(valueAt(each, ['secretRef', 'name'])));
    if (inEnvironment) {
      risks.add(
        `container ${name} has the ${what} in its environment; remove it from env and envFrom, or keep the keys of the signer in a Secret of their own`,
      );
    }
  }
  return [...risks];
}

/**
 * Directories of the node in which the key is, or credentials that can read it, or the files of containers. The logs
 * beside those are not among them.
 */
const dangerous = [
  '/proc',
  '/etc/kubernetes',
  '/etc/rancher',
  '/var/lib/kubelet',
  '/var/lib/etcd',
  '/var/lib/rancher',
  '/var/lib/k0s',
  '/var/lib/containerd',
  '/var/lib/docker/overlay2',
  '/var/lib/containers/storage',
  '/var/snap/microk8s',
];
/** Sockets by which every container can be entered, or the node be told what to run. */
const sockets =
  /^(?:\/var)?\/run(?:$|\/(?:docker|dockershim|containerd|crio|cri-dockerd|podman|k3s|k0s|dbus|systemd)(?:[./]|$))/;

function hostPathRisks({ volumes }: Pod, applications: readonly Container[]): readonly Risk[] {
  return volumes.flatMap((volume) => {
    const path = textOf(valueAt(volume, ['hostPath', 'path']));
    if (path === undefined) return [];
    const clean = `/${path
      .split('/')
      .filter((part) => part !== '' && part !== '.')
      .join('/')}`;
    const isInside = (outer: string, inner: string) =>
      outer === '/' || inner === outer || inner.startsWith(`${outer}/`);
    const reaches = dangerous.some((each) => isInside(clean, each) || isInside(each, clean));
    if (!reaches && !sockets.test(clean) && !clean.includes('/..')) return [];
    const user = applications.find(({ fields }) =>
      listOf(fields['volumeMounts']).some((mount) => mount['name'] === volume['name']),
    );
    if (user === undefined) return [];
    return [
      `container ${user.name} mounts ${clean} of the node, through which it could reach the key; mount a narrower directory`,
    ];
  });
}
