/**
 * Reads the volume, parses it and publishes the value. Runs one load at a time. If a load fails, the last good value stays
 * published.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { type Change, compare, createDigest, type Digests } from './change.ts';
import { type Identity, identify, type Layout, type Selection, type Target } from './identity.ts';
import {
  about,
  asRefusal,
  VolumeError,
  type VolumeProblem,
  type VolumeWarning,
  volumeError,
} from './problem.ts';
import { asVolumeError, type Content, readFiles, wipe } from './read.ts';
import { createReading, type Reading } from './reading.ts';

export interface LoadEvents {
  change(change: Change): void;
  problem(problem: VolumeError): void;
  /** The problem is over: the newest content is in use. */
  recovered(): void;
  warning(warning: VolumeWarning): void;
  /** The directory appeared, or was replaced by another one. Awaited before it is read. */
  directory(identity: Identity): Promise<void>;
}

export interface Published<T> {
  readonly value: T;
  readonly generation: number;
  readonly digests: Digests;
}

/** The result of the last load. */
export interface LoadHealth {
  readonly problem: VolumeError | undefined;
  readonly layout: Layout | undefined;
  readonly lastSuccess: Date | undefined;
  readonly lastAttempt: Date | undefined;
  readonly rejected: number;
}

/**
 * `look`: read if changed; `read`: always; `reread`: after other files were selected; `retry`: also what was rejected.
 */
type LoadMode = 'look' | 'read' | 'reread' | 'retry';

export interface Loader<T> {
  readonly published: Published<T> | undefined;
  readonly health: LoadHealth;
  /**
   * Reads the volume if it has changed. If a load is running, another one follows it.
   * @param how default: `look`
   */
  load(how?: LoadMode): Promise<void>;
  /** Reads what is selected from now on. Settles when it has been read, or could not be. */
  select(selection: Selection | undefined): Promise<void>;
  /** Publishes and reports nothing afterwards. */
  close(): void;
}

const settleMs = 150;
const settleAtMostMs = 2000;

export function createLoader<T>(
  initial: Target,
  parse: (reading: Reading) => T | Promise<T>,
  events: LoadEvents,
): Loader<T> {
  const digest = createDigest();
  let target = initial;
  let published: Published<T> | undefined;
  let refusal: { readonly key: string; readonly digests: Digests } | undefined;
  let seenKey: string | undefined;
  let root: string | undefined;
  let layout: Layout | undefined;
  let problem: VolumeError | undefined;
  let lastSuccess: Date | undefined;
  let lastAttempt: Date | undefined;
  let rejected = 0;
  const requested = new Set<LoadMode>();
  let running: Promise<void> | undefined;
  let closed = false;

  const succeed = ({ key }: Identity) => {
    seenKey = key;
    refusal = undefined;
    lastSuccess = new Date();
    if (problem === undefined) return;
    problem = undefined;
    if (!closed) events.recovered();
  };
  const degrade = (error: VolumeError) => {
    const known = problem?.message === error.message;
    problem = error;
    if (!known && !closed) events.problem(error);
  };
  const fail = (error: unknown) => {
    const failure = asVolumeError(error, target.directory);
    // A directory that is mounted later is another one, even if it has the same inode.
    if (failure.problems.some(({ code }) => code === 'missing')) root = undefined;
    // Read again even if the identity is as it was: it does not depend on the selection.
    seenKey = undefined;
    refusal = undefined;
    degrade(failure);
  };

  const noticeLayout = (found: Identity) => {
    if (layout !== undefined && layout !== found.layout) {
      const message = `${target.directory} changed from ${layout} to ${found.layout} layout`;
      events.warning({ code: 'layout_changed', message });
    }
    layout = found.layout;
  };

  const noticeDirectory = async (found: Identity) => {
    noticeLayout(found);
    if (root === found.root) return;
    root = found.root;
    await events.directory(found);
  };

  /** Waits until a plain directory has not changed for a moment, because its files are not replaced together. */
  const settled = async (found: Identity): Promise<Identity> => {
    const deadline = performance.now() + settleAtMostMs;
    let last = found;
    while (last.layout === 'plain' && performance.now() < deadline && !closed) {
      await delay(settleMs);
      const now = await identify(target);
      if (now.key === last.key) break;
      last = now;
    }
    return last;
  };

  const publish = async (content: Content, change: ReturnType<typeof compare>, identity: Identity) => {
    const { files, digests, others } = content;
    const isNew = published === undefined || change !== undefined;
    const generation = (published?.generation ?? 0) + (isNew ? 1 : 0);
    const facts = { layout: identity.layout, generation, readAt: new Date(), others };
    const owned = createReading(files, facts, events.warning);
    let kept = false;
    try {
      refuseIncomplete(content, target);
      const value = await parse(owned.reading);
      if (closed) return;
      kept = value === owned.reading;
      if (kept) owned.publish();
      published = { value, generation, digests };
      succeed(identity);
    } catch (error) {
      // Count the same content only once.
      if (refusal === undefined || compare(refusal.digests, digests) !== undefined) rejected++;
      refusal = { key: identity.key, digests };
      degrade(asRefusal(error));
      return;
    } finally {
      if (!kept) owned.destroy();
    }
    const none = { added: [], removed: [], modified: [] };
    if (isNew) events.change(Object.freeze({ generation, ...none, ...change }));
  };

  const loadOnce = async (how: ReadonlySet<LoadMode>) => {
    const retry = how.has('retry');
    const read = retry || how.has('read') || how.has('reread');
    const isFirst = lastAttempt === undefined;
    lastAttempt = new Date();
    const found = await identify(target);
    await noticeDirectory(found);
    if (!read && found.key === refusal?.key) return;
    if (!read && published !== undefined && found.key === seenKey) return succeed(found);
    // Do not wait at start-up, or for newly selected files that have not changed for a while.
    const isStable = isFirst || (how.has('reread') && Date.now() - found.changedAtMs > settleMs);
    const stable = isStable ? found : await settled(found);
    const { identity, ...content } = await readFiles(target, stable, digest);
    // It may have changed while it settled, or between two attempts to read it.
    noticeLayout(identity);
    const { files, digests } = content;
    const change = compare(published?.digests ?? new Map(), digests);
    const isEmpty = isEmptyDirectory(content, target);
    if (published !== undefined && change === undefined && !isEmpty) {
      wipe(files);
      return succeed(identity);
    }
    // If no selected file exists, only the names of the other files may have changed.
    const isKnown =
      files.size > 0 && refusal !== undefined && compare(refusal.digests, digests) === undefined;
    if (!retry && isKnown) {
      wipe(files);
      refusal = { key: identity.key, digests };
      return;
    }
    await publish(content, change, identity);
  };

  const loadAll = async () => {
    while (requested.size > 0 && !closed) {
      const how = new Set(requested);
      requested.clear();
      await loadOnce(how).catch(fail);
    }
    running = undefined;
  };
  const load: Loader<T>['load'] = (how = 'look') => {
    requested.add(how);
    running ??= loadAll();
    return running;
  };

  return {
    get published() {
      return published;
    },
    get health() {
      return { problem, layout, lastSuccess, lastAttempt, rejected };
    },
    load,
    select: (selection) => {
      target = { ...target, selection, required: [], mayBeEmpty: false };
      return load('reread');
    },
    close: () => {
      closed = true;
    },
  };
}

function isEmptyDirectory({ isEmpty }: Content, { mayBeEmpty }: Target): boolean {
  return !mayBeEmpty && isEmpty;
}

/** @throws {VolumeError} for a volume without files, or with all required files that are missing or empty */
function refuseIncomplete(content: Content, target: Target): void {
  const { files } = content;
  if (isEmptyDirectory(content, target)) {
    throw volumeError('empty', 'the volume holds no file; put one into the secret');
  }
  const problems = target.required.flatMap((name): VolumeProblem[] => {
    const length = files.get(name)?.length;
    if (length === undefined) return [about(name, 'missing_file', 'is required and not in the volume')];
    return length === 0 ? [about(name, 'empty_file', 'is required and empty')] : [];
  });
  if (problems.length > 0) throw new VolumeError(problems);
}
