/** A signer alone in a pod, on the key volume that a test is about. */

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { images } from './manifests.ts';

export interface SignerPodOptions {
  /** The source of the key volume. */
  readonly keys: object;
  /** Over that of the pod. */
  readonly securityContext?: object;
  /** More mounts and variables of the signer. */
  readonly mounts?: readonly object[];
  readonly volumes?: readonly object[];
  readonly env?: readonly object[];
  /** Over the mount of the whole volume. */
  readonly keysMount?: object;
  /** Adds a container that follows the same volume with the library; needs `followerScript`. */
  readonly followed?: true;
}

export function signerPod(name: string, options: SignerPodOptions): object {
  const { keys, securityContext, mounts = [], volumes = [], env = [], keysMount, followed } = options;
  const mount = { name: 'keys', mountPath: '/etc/signer/keys', readOnly: true };
  const signer = {
    name: 'signer',
    image: images.signer,
    args: ['serve'],
    env: [
      { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'SIGNER_OPS_LISTEN', value: '[$(POD_IP)]:8701' },
      ...env,
    ],
    volumeMounts: [{ ...mount, ...keysMount }, ...mounts],
    readinessProbe: { httpGet: { path: '/readyz', port: 8701 }, periodSeconds: 1, failureThreshold: 1 },
  };
  const follower = {
    name: 'follower',
    // The signer's binary is a whole Bun.
    image: images.signer,
    args: ['/follower/follow.js'],
    env: [{ name: 'BUN_BE_BUN', value: '1' }],
    volumeMounts: [
      { ...mount, mountPath: '/keys' },
      { name: 'follower', mountPath: '/follower' },
    ],
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      // By default, a kubelet without a DNS server reports an event each time it looks at the pod. It reports 25 events of a
      // pod, and then one in five minutes, so the event that a test waits for could be missing.
      dnsPolicy: 'Default',
      terminationGracePeriodSeconds: 1,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, ...securityContext },
      containers: followed ? [signer, follower] : [signer],
      volumes: [
        { name: 'keys', ...keys },
        ...(followed ? [{ name: 'follower', configMap: { name: 'follower' } }] : []),
        ...volumes,
      ],
    },
  };
}

/** The script of the follower, with the library in it. */
export function followerScript(): object {
  const bun = join(import.meta.dirname, '../../node_modules/.bin/bun');
  const args = ['build', '--target=bun', '--minify', join(import.meta.dirname, 'follow.ts')];
  return configMap('follower', { 'follow.js': execFileSync(bun, args, { encoding: 'utf8' }) });
}

export function configMap(name: string, data: Readonly<Record<string, string>>): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data };
}

export function secret(
  name: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  more: object = {},
): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, data: secretData(files), ...more };
}

/** Names to base64, as the API has it. */
export function secretData(
  files: Readonly<Record<string, string | Uint8Array>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(files).map(([file, content]) => [file, Buffer.from(content).toString('base64')]),
  );
}
