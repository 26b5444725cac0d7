/** What the suite needs of a machine: a cluster, and kubectl to reach it with. */

import { spawnSync } from 'node:child_process';

/** Why this machine cannot run the suite; undefined when it can. */
export function obstacle(): string | undefined {
  if (process.env['KUBECONFIG'] === undefined) return 'KUBECONFIG is not set';
  if (spawnSync('kubectl', ['kustomize', '--help']).status !== 0) return 'there is no kubectl';
  const { status } = spawnSync('kubectl', ['get', '--raw', '/readyz', '--request-timeout=10s']);
  return status === 0 ? undefined : 'no cluster answers on KUBECONFIG';
}
