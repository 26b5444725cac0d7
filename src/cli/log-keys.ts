/** Logs what happens to the mounted keys and the configuration. */

import { shownId } from '../key-sets/key-id.ts';
import { type MountedKeys, type MountedKeysEvents, problemsOf } from '../key-sets/mounted.ts';
import type { KeySet } from '../key-sets/snapshot.ts';
import type { Log } from '../ops/log.ts';

const messages = {
  unreliable_events: '… does not report every change; the poll finds them',
  never_updates: '… is a … mount …',
  layout_changed: '… changed from …',
} as const;

/** With more, the line would be too long to read. */
const maxListedKeySets = 20;
const maxListedKeys = 5;

/**
 * @param config the file of the configuration, if there is one
 * @param keys called by the events, which begin when the keys are opened
 * @param onReady called whenever keys are put to use
 */
export function logKeyEvents(
  log: Log,
  config: string | undefined,
  keys: () => MountedKeys,
  onReady: () => void,
): MountedKeysEvents {
  const file = { file: config ?? '' };
  const isReady = () => keys().store.current !== undefined;
  /** The generation of keys whose warnings were logged last. Several mounts can come into use with it. */
  let warnedOf = 0;
  /** Two mounts can be of one directory. */
  const warned = new Set<string>();
  return {
    leftOut: (warning) => log.warn('… so this key set is left out …', file, warning),
    refused: (mount) => {
      const { directory } = mount.volume;
      const problems = problemsOf(mount).map(({ message }) => message);
      if (mount.content === 'keys') {
        const message = isReady()
          ? 'keys not loaded: the last good keys stay in use'
          : 'keys not loaded: not ready';
        return log.warn(message, { directory, problems });
      }
      const message = isReady()
        ? 'configuration not loaded: the last good configuration stays in use'
        : 'configuration not loaded: not ready';
      log.warn(message, { ...file, problems });
    },
    solved: ({ content, volume: { directory } }) => {
      if (content === 'keys') log.info('the problem with the keys is over', { directory });
      else log.info('the problem with the configuration is over', file);
    },
    watcher: ({ volume: { directory } }, state) => {
      if (state === 'up') log.info('the problem with the events is over', { directory });
      else log.warn('no events report changes here; the poll finds them', { directory });
    },
    ended: (key, ended) =>
      log.info('replaced keys do not verify any more', {
        key,
        ended: listSome(ended, maxListedKeys, ({ id }) => shownId(id)),
      }),
    warning: ({ volume: { directory } }, { code, message }) => {
      if (warned.has(message)) return;
      warned.add(message);
      // Not a warning, because plain files are normal on a developer's machine.
      if (code === 'plain_layout') log.info('… has plain files, …', { directory }, message);
      // The signer reads no file as text.
      else if (code !== 'trailing_newline') log.warn(messages[code], { directory }, message);
    },
    accepted: ({ content, volume: { directory } }, changes) => {
      const { current } = keys().store;
      if (current === undefined) {
        if (content === 'configuration')
          log.info('configuration read; waiting for the directories with the keys', file);
        else
          log.info('directory read; waiting for the other directories or the configuration', { directory });
        return;
      }
      const { generation } = current;
      const keySets = [...current.keySets.values()];
      const described = describeKeys(keySets);
      // The only file of a configuration is named already.
      if (content === 'configuration')
        log.info('configuration loaded', { ...file, generation, keys: described });
      else log.info('keys loaded', { directory, generation, ...changes, keys: described });
      for (const { name, warnings, notes } of warnedOf === generation ? [] : keySets) {
        if (warnings.length > 0)
          log.warn('a key set …', { key: name }, `a key set ${warnings.join('; it ')}`);
        if (notes.length > 0) log.info('a key set …', { key: name }, `a key set ${notes.join('; it ')}`);
      }
      warnedOf = generation;
      onReady();
    },
  };
}

/** Each key set with the ids of its keys, which are public. */
function describeKeys(keySets: readonly KeySet[]): readonly string[] {
  return listSome(keySets, maxListedKeySets, ({ name, keys: [primary, ...others] }) => {
    const also = listSome(others, maxListedKeys, ({ id }) => shownId(id));
    const more = also.length === 0 ? '' : `, also verifies ${also.join(', ')}`;
    return `${name} ${shownId(primary.id)}${more}`;
  });
}

function listSome<T>(all: readonly T[], max: number, describe: (each: T) => string): readonly string[] {
  const listed = all.slice(0, max).map(describe);
  return all.length <= max ? listed : [...listed, `and ${all.length - max} more`];
}
