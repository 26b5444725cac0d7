/** What the signer's container takes from the pod that it is put into. */

import type { SocketUser } from './additions.ts';
import { fieldsOf } from './fields.ts';
import type { InjectOptions } from './options.ts';
import { type PodSettings, socketVolumes } from './signer-container.ts';
import { everyContainer, type Pod } from './workload.ts';

const usualUid = 65_532;
const usualGraceSeconds = 30;
const usualDelaySeconds = 10;
/** The signer's own requests end within 5 seconds, and the kubelet must not be faster. */
const reservedSeconds = 6;

/** The containers that get a socket, and the names that the pod has no container for. */
export function chooseUsers(
  pod: Pod,
  options: InjectOptions,
): { readonly users: readonly SocketUser[]; readonly missing: readonly string[] } {
  const { containers, callers, classic } = options;
  // Ordinary init containers end before an ordinary signer begins.
  const possible = [...pod.containers, ...(classic ? [] : pod.initContainers)];
  const sockets = socketVolumes(options);
  const volumeOf = (name: string): string | undefined => {
    if (callers.length === 0) return containers?.includes(name) === false ? undefined : sockets[0]?.volume;
    const caller = callers.find((each) => each.containers.includes(name));
    return sockets.find((each) => each.caller === caller?.name && caller !== undefined)?.volume;
  };
  const users = possible.flatMap((container) => {
    const volume = volumeOf(container.name);
    return volume === undefined ? [] : [{ container, volume }];
  });
  const named = containers ?? callers.flatMap((each) => each.containers);
  const present = new Set(possible.map(({ name }) => name));
  return { users, missing: named.filter((name) => !present.has(name)) };
}

/** The user of the signer: another one than those of the application. */
export function chooseUid(
  pod: Pod,
  options: InjectOptions,
): { readonly uid: number; readonly problem?: string } {
  const ofPod = fieldsOf(pod.spec['securityContext'])['runAsUser'];
  const used = new Map(
    everyContainer(pod).map(({ name, fields }) => [
      fieldsOf(fields['securityContext'])['runAsUser'] ?? ofPod,
      name,
    ]),
  );
  if (options.uid === undefined) {
    let uid = usualUid;
    while (used.has(uid)) uid -= 1;
    return { uid };
  }
  const other = used.get(options.uid);
  if (other === undefined) return { uid: options.uid };
  return {
    uid: options.uid,
    problem: `container ${other} runs as user ${options.uid}, too, and could reach the process of the signer if they ever share a namespace; choose another --uid`,
  };
}

export function settingsOf({ spec }: Pod, uid: number): PodSettings {
  const grace = spec['terminationGracePeriodSeconds'];
  const seconds = typeof grace === 'number' ? grace : usualGraceSeconds;
  return {
    uid,
    isOnHostNetwork: spec['hostNetwork'] === true,
    shutdownDelaySeconds: Math.max(0, Math.min(usualDelaySeconds, seconds - reservedSeconds)),
  };
}
