/** What a pod has already in the places that the signer needs. None of it can be overridden. */

import { posix } from 'node:path';
import { fieldsOf, listOf, textOf, valueAt } from './fields.ts';
import { signerName, socketVariable } from './marker.ts';
import type { InjectOptions } from './options.ts';
import { opsPortName, signerVolumes } from './signer-container.ts';
import { type Container, everyContainer, type Pod, type Workload } from './workload.ts';

/** The default of `serve --listen`. */
const signingPort = 8700;

/** @param pod without anything that an earlier run added */
export function conflicts(
  { value }: Workload,
  pod: Pod,
  users: readonly Container[],
  options: InjectOptions,
): readonly string[] {
  // Of a StatefulSet. In its pods, a claim replaces the volume of the same name.
  const claims = listOf(valueAt(value, ['spec', 'volumeClaimTemplates']));
  const containers = everyContainer(pod);
  const found: string[] = [];
  if (containers.some(({ name }) => name === signerName)) {
    found.push(
      `there is a container "${signerName}" that inject did not add; remove it with its volumes, or give it another name`,
    );
  }
  for (const { name } of signerVolumes(options)) {
    if (pod.volumes.some((volume) => volume['name'] === name)) {
      found.push(`there is a volume "${name}" that inject did not add; give it another name`);
      continue;
    }
    if (claims.some((claim) => valueAt(claim, ['metadata', 'name']) === name)) {
      found.push(`volumeClaimTemplates has a claim "${name}"; give it another name`);
      continue;
    }
    // Kubernetes rejects a mount without a volume. With the volume that inject adds, it would be valid.
    for (const user of containers) {
      const { volumeMounts, volumeDevices } = user.fields;
      if ([...listOf(volumeMounts), ...listOf(volumeDevices)].some((each) => each['name'] === name)) {
        found.push(
          `container ${user.name} mounts a volume "${name}" that the pod does not have, and would get the one of the signer; remove the mount`,
        );
      }
    }
  }
  const directory = posix.dirname(options.socket);
  for (const { name, fields } of users) {
    const mounts = listOf(fields['volumeMounts']).flatMap(({ mountPath }) => textOf(mountPath) ?? []);
    if (mounts.some((path) => posix.resolve('/', path) === directory)) {
      found.push(`container ${name} has another mount at ${directory}; choose another place with --socket`);
    }
    const variable = listOf(fields['env']).find((each) => each['name'] === socketVariable);
    if (variable !== undefined && variable['value'] !== options.socket) {
      found.push(
        `container ${name} sets SIGNER_SOCKET itself; remove the variable, or give its path with --socket`,
      );
    }
  }
  for (const { name, fields } of containers) {
    for (const port of listOf(fields['ports'])) {
      const isTcp = (port['protocol'] ?? 'TCP') === 'TCP';
      if (options.tcp && isTcp && port['containerPort'] === signingPort) {
        found.push(`container ${name} has the port ${signingPort}; use the socket instead of --tcp`);
      } else if (isTcp && port['containerPort'] === options.opsPort) {
        found.push(
          `container ${name} has the port ${options.opsPort}; choose another one for the signer with --ops-port`,
        );
      } else if (port['name'] === opsPortName) {
        found.push(`container ${name} has a port "${opsPortName}"; give it another name`);
      }
    }
  }
  const { nodeSelector, os } = pod.spec;
  if (fieldsOf(os)['name'] === 'windows' || fieldsOf(nodeSelector)['kubernetes.io/os'] === 'windows') {
    found.push('the pod runs on Windows, and the signer on Linux');
  }
  return found;
}
