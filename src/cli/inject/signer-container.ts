/** The signer as a container, with its volumes: what the manifests in `manifests/` say, too. */

import { posix } from 'node:path';
import type { Fields } from './fields.ts';
import { signerName } from './marker.ts';
import type { InjectOptions } from './options.ts';

const keysDirectory = '/etc/signer/keys';
const configDirectory = '/etc/signer/config';
const auditDirectory = '/var/log/signer';
export const opsPortName = 'signer-ops';

/** What differs between pods. */
export interface PodSettings {
  readonly uid: number;
  /** The pod uses the network of its node. */
  readonly isOnHostNetwork: boolean;
  /** For how long the signer serves on when both are told to stop. */
  readonly shutdownDelaySeconds: number;
}

/** A socket, its volume, and where the signer and its callers mount it. */
export interface SocketVolume {
  readonly volume: string;
  /** Absent if there is only one caller. */
  readonly caller?: string;
  readonly signerPath: string;
}

export function socketVolumes({ socket, callers, tcp }: InjectOptions): readonly SocketVolume[] {
  if (tcp) return [];
  if (callers.length === 0) return [{ volume: 'signer-socket', signerPath: socket }];
  const { dir, base } = posix.parse(socket);
  return callers.map(({ name }) => ({
    volume: `signer-socket-${name}`,
    caller: name,
    signerPath: posix.join(dir, name, base),
  }));
}

const made = new WeakMap<InjectOptions, Map<string, Fields>>();

/** The same object for pods that are alike, so that its text is written once. */
export function signerContainer(options: InjectOptions, pod: PodSettings): Fields {
  const known = made.get(options) ?? new Map<string, Fields>();
  const key = JSON.stringify(pod);
  const container = known.get(key) ?? createContainer(options, pod);
  made.set(options, known.set(key, container));
  return container;
}

function createContainer(options: InjectOptions, pod: PodSettings): Fields {
  const { image, classic, cpu, cpuLimit, memory, memoryLimit, opsPort } = options;
  return {
    name: signerName,
    image,
    // This makes an init container a native sidecar.
    ...(!classic && { restartPolicy: 'Always' }),
    args: ['serve'],
    env: variables(options, pod),
    ports: [{ name: opsPortName, containerPort: opsPort }],
    volumeMounts: [
      { name: 'signer-keys', mountPath: keysDirectory, readOnly: true },
      ...(hasConfig(options) ? [{ name: 'signer-config', mountPath: configDirectory, readOnly: true }] : []),
      ...socketVolumes(options).map(({ volume, signerPath }) => ({
        name: volume,
        mountPath: posix.dirname(signerPath),
      })),
      ...(options.audit ? [{ name: 'signer-audit', mountPath: auditDirectory }] : []),
    ],
    securityContext: {
      runAsNonRoot: true,
      runAsUser: pod.uid,
      runAsGroup: pod.uid,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    resources: {
      requests: { cpu, memory },
      limits: { ...(cpuLimit !== undefined && { cpu: cpuLimit }), memory: memoryLimit },
    },
    ...probes(options, pod),
  };
}

/** Variables and not flags, so that commands run with `kubectl exec` use the same settings. */
function variables(
  options: InjectOptions,
  { isOnHostNetwork, shutdownDelaySeconds }: PodSettings,
): readonly Fields[] {
  const sockets = socketVolumes(options).map(({ caller, signerPath }) =>
    caller === undefined ? signerPath : `${caller}=${signerPath}`,
  );
  const own = new Map<string, Fields>();
  const set = (name: string, value: string) => own.set(name, { name, value });
  if (hasConfig(options)) set('SIGNER_CONFIG', `${configDirectory}/signer.yaml`);
  if (!options.tcp) {
    set('SIGNER_LISTEN', 'none');
    set('SIGNER_SOCKET', sockets.join(','));
    // The applications may run as any user. Only containers that mount the socket can reach it.
    set('SIGNER_SOCKET_MODE', '0666');
  }
  if (options.audit) set('SIGNER_AUDIT', `${auditDirectory}/audit.log`);
  if (isOnHostNetwork) {
    // The loopback of the node, where its kubelet is too. The address of the pod would be open to the network.
    set('SIGNER_OPS_LISTEN', `127.0.0.1:${options.opsPort}`);
  } else {
    own.set('POD_IP', { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } });
    set('SIGNER_OPS_LISTEN', `[$(POD_IP)]:${options.opsPort}`);
  }
  if (options.classic) set('SIGNER_SHUTDOWN_DELAY', String(shutdownDelaySeconds));
  for (const [name, value] of Object.entries(options.env)) set(name, value);
  return [...own.values()];
}

function probes({ classic, opsPort }: InjectOptions, { isOnHostNetwork }: PodSettings): Fields {
  const get = (path: string) => ({
    httpGet: isOnHostNetwork ? { host: '127.0.0.1', path, port: opsPort } : { path, port: opsPortName },
  });
  return {
    // A native sidecar holds the application back until there is a key, for up to a day: a restart would not help.
    startupProbe: classic
      ? { ...get('/livez'), periodSeconds: 1, failureThreshold: 30 }
      : { ...get('/readyz'), periodSeconds: 1, failureThreshold: 86_400 },
    readinessProbe: { ...get('/readyz'), periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 1 },
    livenessProbe: { ...get('/livez'), periodSeconds: 10, timeoutSeconds: 5 },
  };
}

export function signerVolumes(options: InjectOptions): readonly (Fields & { readonly name: string })[] {
  return [
    { name: 'signer-keys', ...keysSource(options) },
    ...(hasConfig(options) ? [{ name: 'signer-config', configMap: { name: options.configMap } }] : []),
    ...socketVolumes(options).map(({ volume }) => ({
      name: volume,
      // In memory, and with room only for a socket.
      emptyDir: { medium: 'Memory', sizeLimit: '1Mi' },
    })),
    // Without a limit, because the kubelet ends a pod that is over it.
    ...(options.audit ? [{ name: 'signer-audit', emptyDir: {} }] : []),
  ];
}

function keysSource({ secret, secretProviderClass }: InjectOptions): Fields {
  if (secretProviderClass === undefined) {
    // 0444: the fsGroup of the pod is chosen by the application. Only the signer mounts the volume.
    return { secret: { secretName: secret, defaultMode: 0o444 } };
  }
  return {
    csi: {
      driver: 'secrets-store.csi.k8s.io',
      readOnly: true,
      volumeAttributes: { secretProviderClass },
    },
  };
}

function hasConfig({ configMap }: InjectOptions): boolean {
  return configMap !== 'none';
}
