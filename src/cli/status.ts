/** What the ops listener tells of the store and its volumes. */

import packageJson from '../../package.json' with { type: 'json' };
import type { Status } from '../api/status.ts';
import type { Snapshot } from '../key-sets/snapshot.ts';
import type { MountedVolume } from './open-keys.ts';

export const version: string = packageJson.version;

export function describeStatus(
  snapshot: Snapshot | undefined,
  volumes: readonly MountedVolume[],
  stopping: boolean,
): Status {
  return {
    version,
    ready: snapshot !== undefined && !stopping,
    generation: snapshot?.generation ?? 0,
    loadedAt: snapshot?.loadedAt.toISOString() ?? null,
    keySets: snapshot?.keySets.size ?? 0,
    volumes: volumes.map(({ content, volume: { directory, health } }) => ({
      directory,
      content,
      layout: health.layout ?? null,
      generation: health.generation,
      lastSuccess: health.lastSuccess?.toISOString() ?? null,
      watcher: health.watcher,
      rescuedByPoll: health.rescuedByPoll,
      rejected: health.rejected,
      problems: health.problem?.problems.map(({ message }) => message) ?? [],
    })),
  };
}
