/**
 * Turns what is on disk into the published value: one load at a time and in order, whatever asked for it. Publishes
 * what the parser accepts and keeps the last good value through everything else.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { type Change, compare, createDigest, type Digests } from './change.ts';
import { type Identity, identify, type Layout, type Target } from './identity.ts';
import {
  about,
  kindOf,
  VolumeError,
  type VolumeProblem,
  type VolumeWarning,
  volumeError,
} from './problem.ts';
import { asVolumeError, type Files, readFiles, wipe } from './read.ts';
import { createReading, type Reading } from './reading.ts';

export interface LoadEvents {
  change(change: Change): void;
  problem(problem: VolumeError): void;
  warning(warning: VolumeWarning): void;
  /** A directory was found where there was none, or another one; awaited before it is read. */
  found(identity: Identity): Promise<void>;
}

export interface Published<T> {
  readonly value: T;
  readonly generation: number;
  readonly digests: Digests;
}

/** How the last load went. */
export interface LoadHealth {
  readonly problem: VolumeError | undefined;
  readonly layout: Layout | undefined;
  readonly lastSuccess: Date | undefined;
  readonly lastAttempt: Date | undefined;
  readonly rejected: number;
}

export interface Loader<T> {
  readonly published: Published<T> | undefined;
  readonly health: LoadHealth;
  /**
   * Looks whether the volume changed, and reads it if so. If a load is under way, another one follows it.
   * @param how `read` even if it seems unchanged; `retry` what was rejected, too. Default: `look`
   */
  load(how?: 'look' | 'read' | 'retry'): Promise<void>;
  /** Nothing is published or reported afterwards. */
  close(): void;
}

const settleMs = 150;
const settleAtMostMs = 2000;

export function createLoader<T>(
  target: Target,
  required: readonly string[],
  parse: (reading: Reading) => T | Promise<T>,
  events: LoadEvents,
): Loader<T> {
  const digest = createDigest();
  let published: Published<T> | undefined;
  let refusal: { readonly key: string; readonly digests: Digests } | undefined;
  /** Of what the parser was given last: it may hold on to that, even if it refused it. */
  let given: Digests | undefined;
  let seenKey: string | undefined;
  let root: string | undefined;
  let layout: Layout | undefined;
  let problem: VolumeError | undefined;
  let lastSuccess: Date | undefined;
  let lastAttempt: Date | undefined;
  let rejected = 0;
  const wanted = new Set<'look' | 'read' | 'retry'>();
  let running = false;
  let closed = false;

  const succeed = ({ key }: Identity) => {
    seenKey = key;
    refusal = undefined;
    problem = undefined;
    lastSuccess = new Date();
  };
  const degrade = (error: VolumeError) => {
    const known = problem?.message === error.message;
    problem = error;
    if (!known && !closed) events.problem(error);
  };
  const fail = (error: unknown) => {
    const failure = asVolumeError(error, target.directory);
    // What is mounted later is another directory even if it has the same inode.
    if (failure.problems.some(({ code }) => code === 'missing')) root = undefined;
    refusal = undefined;
    degrade(failure);
  };

  const notice = async (found: Identity) => {
    if (layout !== undefined && layout !== found.layout) {
      const message = `${target.directory} changed from ${layout} to ${found.layout} layout`;
      events.warning({ code: 'layout_changed', message });
    }
    layout = found.layout;
    if (root === found.root) return;
    root = found.root;
    await events.found(found);
  };

  /** Waits until a plain directory has been left alone for a moment, since its writers are not atomic. */
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

  const publish = async (
    files: Files,
    digests: Digests,
    change: ReturnType<typeof compare>,
    identity: Identity,
  ) => {
    const isNew = published === undefined || change !== undefined;
    const generation = (published?.generation ?? 0) + (isNew ? 1 : 0);
    const facts = { layout: identity.layout, generation, readAt: new Date() };
    const owned = createReading(files, facts, events.warning);
    let kept = false;
    try {
      refuseIncomplete(files, target, required);
      given = digests;
      const value = await parse(owned.reading);
      if (closed) return;
      kept = value === owned.reading;
      if (kept) owned.publish();
      published = { value, generation, digests };
      succeed(identity);
    } catch (error) {
      // Tried once more, it is the same content.
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

  const loadOnce = async (read: boolean, retry: boolean) => {
    const isFirst = lastAttempt === undefined;
    lastAttempt = new Date();
    const found = await identify(target);
    await notice(found);
    if (!read && found.key === refusal?.key) return;
    // What was refused since then has to be taken back: by giving the parser what is in use once more.
    const isInUse = published !== undefined && given === published.digests;
    if (!read && isInUse && found.key === seenKey) return succeed(found);
    // What is there at the start was written before it; nobody should wait for that to settle.
    const calm = isFirst ? found : await settled(found);
    const { files, digests, identity } = await readFiles(target, calm, digest);
    const change = compare(published?.digests ?? new Map(), digests);
    if (isInUse && change === undefined) {
      wipe(files);
      return succeed(identity);
    }
    if (!retry && refusal !== undefined && compare(refusal.digests, digests) === undefined) {
      wipe(files);
      refusal = { key: identity.key, digests };
      return;
    }
    await publish(files, digests, change, identity);
  };

  return {
    get published() {
      return published;
    },
    get health() {
      return { problem, layout, lastSuccess, lastAttempt, rejected };
    },
    load: async (how = 'look') => {
      wanted.add(how);
      if (running) return;
      running = true;
      while (wanted.size > 0 && !closed) {
        const retry = wanted.has('retry');
        const read = retry || wanted.has('read');
        wanted.clear();
        await loadOnce(read, retry).catch(fail);
      }
      running = false;
    },
    close: () => {
      closed = true;
    },
  };
}

/** @throws {VolumeError} for a volume without a file, and for each required file that is missing or empty */
function refuseIncomplete(files: Files, { names }: Target, required: readonly string[]): void {
  if (names === undefined && files.size === 0) {
    throw volumeError('empty', 'the volume holds no file; put one into the secret');
  }
  const problems = required.flatMap((name): VolumeProblem[] => {
    const length = files.get(name)?.length;
    if (length === undefined) return [about(name, 'missing_file', 'is required and not in the volume')];
    return length === 0 ? [about(name, 'empty_file', 'is required and empty')] : [];
  });
  if (problems.length > 0) throw new VolumeError(problems);
}

/** A parser's own problems as they are. Other errors often quote what they could not parse, so only their kind is kept. */
function asRefusal(error: unknown): VolumeError {
  if (error instanceof VolumeError) return error;
  const message = `the reading was refused: parse threw ${kindOf(error)}; throw a VolumeError to say why`;
  return volumeError('refused', message);
}
