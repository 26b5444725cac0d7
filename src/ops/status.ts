/** The status of a running signer, as the ops listener reports it. */

import packageJson from '../../package.json' with { type: 'json' };
import type {
  AuditStatus,
  KeySetStatus,
  KeyStatus,
  ListenerStatus,
  Status,
  VolumeStatus,
} from '../api/status.ts';
import { shownId } from '../key-sets/key-id.ts';
import { type Mount, problemsOf } from '../key-sets/mounted.ts';
import { expiryMs, type KeySet, type RetainedKey, type Snapshot } from '../key-sets/snapshot.ts';
import type { Clocks } from '../signing/clocks.ts';
import { allowedTo, operations } from '../signing/policy.ts';
import type { Counters, KeySetUse } from './counters.ts';

export const version: string = packageJson.version;

/** The last moment that a date can be (ECMA-262 §21.4.1.1). A configuration can keep keys for longer. */
const lastMoment = 8.64e15;

/** What there is to describe. */
export interface Described {
  readonly snapshot: Snapshot | undefined;
  readonly mounts: readonly Mount[];
  readonly listeners: readonly ListenerStatus[];
  readonly ops: readonly string[];
  readonly startedAt: Date;
  readonly stopping: boolean;
  readonly counters: Counters;
  readonly clocks: Clocks;
  readonly audit?: AuditStatus | undefined;
}

export function isReady({ snapshot, stopping }: Pick<Described, 'snapshot' | 'stopping'>): boolean {
  return snapshot !== undefined && !stopping;
}

export function describeStatus(described: Described): Status {
  const { snapshot, mounts, listeners, ops, startedAt, stopping, audit } = described;
  return {
    version,
    ready: isReady(described),
    stopping,
    startedAt: startedAt.toISOString(),
    generation: snapshot?.generation ?? 0,
    loadedAt: snapshot?.loadedAt.toISOString() ?? null,
    keySets: snapshot?.keySets.size ?? 0,
    keys: [...(snapshot?.keySets.values() ?? [])].map((keySet) => keySetStatus(keySet, described)),
    listeners,
    ops,
    volumes: mounts.map(statusOf),
    ...(audit && { audit }),
  };
}

function keySetStatus(
  { name, settings, keys, retained, since, tenantKeys }: KeySet,
  { listeners, counters, clocks }: Described,
): KeySetStatus {
  const { format, policy } = settings;
  const [primary] = keys;
  const untilMs = (key: RetainedKey) => clocks.now() + expiryMs(key, settings) - clocks.monotonicMs();
  const ends = new Map(
    retained.map((each) => [each.key, new Date(Math.min(untilMs(each), lastMoment)).toISOString()]),
  );
  const allowed = listeners.flatMap(({ caller }) => {
    const operations = allowedTo(policy, caller);
    return operations === undefined ? [] : [[caller, operations] as const];
  });
  return {
    name,
    format: format.name,
    algorithm: primary.mac.algorithm,
    callers: Object.fromEntries(allowed),
    ...(tenantKeys && { derived: true }),
    since: since.toISOString(),
    keys: keys.map((key) => {
      const until = ends.get(key);
      return {
        id: shownId(key.id),
        role: key === primary ? 'primary' : 'other',
        ...(until !== undefined && { until }),
        lastUsed: usesOf(counters.keySets.get(name), key.id),
      };
    }),
  };
}

function usesOf(use: KeySetUse | undefined, id: string): KeyStatus['lastUsed'] {
  const uses = operations.flatMap((operation) => {
    const atMs = use?.[operation].lastUsedMs.get(id);
    return atMs === undefined ? [] : [[operation, new Date(atMs).toISOString()] as const];
  });
  return Object.fromEntries(uses);
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
