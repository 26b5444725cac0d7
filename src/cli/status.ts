/** What the ops listener tells of the store and its volumes. */

import packageJson from '../../package.json' with { type: 'json' };
import type { Snapshot } from '../keys/snapshot.ts';
import type { Volume } from '../secret-volume/index.ts';
import type { Status } from '../wire.ts';

export const version: string = packageJson.version;

export function describeStatus(
  snapshot: Snapshot | undefined,
  volumes: readonly Volume<void>[],
  stopping: boolean,
): Status {
  return {
    version,
    ready: snapshot !== undefined && !stopping,
    generation: snapshot?.generation ?? 0,
    loadedAt: snapshot?.loadedAt.toISOString() ?? null,
    keySets: snapshot?.keySets.size ?? 0,
    volumes: volumes.map(({ directory, health }) => ({
      directory,
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
