/** What `inject` can be told, and the values that hold without flags. */

import { version } from '../../ops/status.ts';

/** A caller of the signer, and the containers that use its socket. */
export interface CallerContainers {
  readonly name: string;
  readonly containers: readonly string[];
}

export interface InjectOptions {
  /** The version that is written into the manifests, next to what was added. */
  readonly version: string;
  readonly image: string;
  /** The Secret with the key files. */
  readonly secret: string;
  /** A SecretProviderClass of the Secrets Store CSI driver that is mounted in place of the Secret. */
  readonly secretProviderClass?: string;
  /** The ConfigMap with `signer.yaml`. With `none`, each key file is a key set. */
  readonly configMap: string;
  /** Serves on port 8700 of the pod's loopback, and on no socket. */
  readonly tcp: boolean;
  /** Where the applications find the socket. */
  readonly socket: string;
  /** The containers that get the socket; all of them if absent. */
  readonly containers?: readonly string[];
  /** Callers with a socket each. Their containers get the socket of their caller, and others get none. */
  readonly callers: readonly CallerContainers[];
  /** Writes an audit to a volume that ends with the pod. */
  readonly audit: boolean;
  /** Further variables of the signer's container. */
  readonly env: Readonly<Record<string, string>>;
  readonly cpu: string;
  readonly cpuLimit?: string;
  readonly memory: string;
  readonly memoryLimit: string;
  /** The port of the ops listener. */
  readonly opsPort: number;
  /** The user and group of the signer. Without it, 65532 or the next lower one that no application uses. */
  readonly uid?: number;
  /** Adds the signer as an ordinary container, for Kubernetes before 1.29. */
  readonly classic: boolean;
  /** Changes every workload, with or without the label. */
  readonly all: boolean;
  /** Goes on where the protection of the key is undone. */
  readonly force: boolean;
  /** Takes out what an earlier run added. */
  readonly remove: boolean;
}

export const defaults: InjectOptions = {
  version,
  image: `sidecar-signer:${version}`,
  secret: 'signer-keys',
  configMap: 'signer-config',
  tcp: false,
  socket: '/run/signer/signer.sock',
  callers: [],
  audit: false,
  env: {},
  cpu: '50m',
  memory: '48Mi',
  memoryLimit: '96Mi',
  opsPort: 8701,
  classic: false,
  all: false,
  force: false,
  remove: false,
};
