/** The status of the key store and its volumes, as the ops listener reports it. */

import packageJson from '../../package.json' with { type: 'json' };
import type { AuditStatus, Status, VolumeStatus } from '../api/status.ts';
import { type Mount, problemsOf } from '../key-sets/mounted.ts';
import type { Snapshot } from '../key-sets/snapshot.ts';

export const version: string = packageJson.version;

export function describeStatus(
  snapshot: Snapshot | undefined,
  mounts: readonly Mount[],
  stopping: boolean,
  audit?: AuditStatus,
): Status {
  return {
    version,
    ready: snapshot !== undefined && !stopping,
    generation: snapshot?.generation ?? 0,
    loadedAt: snapshot?.loadedAt.toISOString() ?? null,
    keySets: snapshot?.keySets.size ?? 0,
    volumes: mounts.map(statusOf),
    ...(audit && { audit }),
  };
}

function statusOf(mount: Mount): VolumeStatus {
  const {
    content,
    source,
    volume: { directory, health },
  } = mount;
  return {
    directory,
    content,
    layout: health.layout ?? null,
    generation: source.accepted,
    lastSuccess: lastSuccess(health.lastSuccess, source.refusedAt)?.toISOString() ?? null,
    watcher: health.watcher,
    rescuedByPoll: health.rescuedByPoll,
    rejected: health.rejected + source.rejected,
    problems: problemsOf(mount).map(({ message }) => message),
  };
}

/** When a directory was last found readable with valid content. */
function lastSuccess(readAt: Date | undefined, refusedAt: Date | undefined): Date | undefined {
  if (readAt === undefined || refusedAt === undefined) return readAt;
  return readAt < refusedAt ? readAt : refusedAt;
}
