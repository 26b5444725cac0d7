/** The restricted Pod Security Standard of Kubernetes, for the fields that a pod of ours could have. */

interface SecurityContext {
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly privileged?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly procMount?: string;
  readonly seccompProfile?: { readonly type: string };
  readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] };
  readonly sysctls?: readonly unknown[];
}

interface Container {
  readonly name: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly restartPolicy?: string;
  readonly resources?: object;
  readonly ports?: readonly {
    readonly name?: string;
    readonly containerPort: number;
    readonly hostPort?: number;
  }[];
  readonly securityContext?: SecurityContext;
  readonly volumeMounts?: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
  }[];
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly securityContext?: SecurityContext;
  readonly volumes?: readonly { readonly name: string }[];
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
}

export interface Workload {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: object;
}

/** The pod of an object that has one. */
export function podSpec({ kind, spec }: Workload): PodSpec | undefined {
  if (kind === 'Pod') return spec as PodSpec;
  const { template, jobTemplate } = (spec ?? {}) as {
    template?: { spec: PodSpec };
    jobTemplate?: { spec: { template: { spec: PodSpec } } };
  };
  if (kind === 'CronJob') return jobTemplate?.spec.template.spec;
  return /^(?:Deployment|StatefulSet|DaemonSet|ReplicaSet|Job)$/.test(kind) ? template?.spec : undefined;
}

const allowedVolumes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];
const seccompTypes = ['RuntimeDefault', 'Localhost'];

/** What the standard forbids in the pod of a workload, container by container. */
export function podSecurityViolations(workload: Workload): string[] {
  const spec = podSpec(workload);
  if (spec === undefined) return [];
  const found: string[] = [];
  const refuse = (where: string, what: string, if_: boolean) => {
    if (if_) found.push(`${workload.metadata.name}${where}: ${what}`);
  };
  refuse('', 'host namespaces', Boolean(spec.hostNetwork || spec.hostPID || spec.hostIPC));
  refuse('', 'sysctls', (spec.securityContext?.sysctls ?? []).length > 0);
  for (const { name, ...source } of spec.volumes ?? []) {
    refuse(
      `.volumes.${name}`,
      'type of volume',
      !Object.keys(source).every((type) => allowedVolumes.includes(type)),
    );
  }
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    const own = container.securityContext ?? {};
    const effective = { ...spec.securityContext, ...own };
    const where = `.${container.name}`;
    refuse(where, 'privileged', own.privileged === true);
    refuse(where, 'allowPrivilegeEscalation must be false', own.allowPrivilegeEscalation !== false);
    refuse(where, 'runAsNonRoot must be true', effective.runAsNonRoot !== true);
    refuse(where, 'runAsUser must not be 0', effective.runAsUser === 0);
    refuse(where, 'seccompProfile', !seccompTypes.includes(effective.seccompProfile?.type ?? ''));
    refuse(where, 'capabilities.drop must be ALL', !(own.capabilities?.drop ?? []).includes('ALL'));
    refuse(
      where,
      'capabilities.add',
      (own.capabilities?.add ?? []).some((each) => each !== 'NET_BIND_SERVICE'),
    );
    refuse(where, 'procMount', (own.procMount ?? 'Default') !== 'Default');
    refuse(
      where,
      'hostPort',
      (container.ports ?? []).some(({ hostPort }) => hostPort !== undefined && hostPort !== 0),
    );
  }
  return found;
}
