/** Logs what happens to the mounted keys and the configuration. */

import { shownId } from '../key-sets/key-id.ts';
import { type Mount, type MountedKeys, type MountedKeysEvents, problemsOf } from '../key-sets/mounted.ts';
import type { KeySet } from '../key-sets/snapshot.ts';
import type { Log, LogFields } from '../ops/log.ts';

const messages = {
  keys: {
    waiting: 'directory read; waiting for the other directories or the configuration',
    loaded: 'keys loaded',
    notReady: 'keys not loaded: not ready',
    kept: 'keys not loaded: the last good keys stay in use',
    solved: 'the problem with the keys is over',
  },
  configuration: {
    waiting: 'configuration read; waiting for the directories with the keys',
    loaded: 'configuration loaded',
    notReady: 'configuration not loaded: not ready',
    kept: 'configuration not loaded: the last good configuration stays in use',
    solved: 'the problem with the configuration is over',
  },
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
  const file: LogFields = config === undefined ? {} : { file: config };
  const where = ({ content, volume: { directory } }: Mount) =>
    content === 'configuration' ? file : { directory };
  return {
    leftOut: (warning) => log.warn(warning, file),
    refused: (mount) => {
      const { notReady, kept } = messages[mount.content];
      log.warn(keys().store.current === undefined ? notReady : kept, {
        ...where(mount),
        problems: problemsOf(mount).map(({ message }) => message),
      });
    },
    solved: (mount) => log.info(messages[mount.content].solved, where(mount)),
    warning: ({ volume: { directory } }, { code, message }) => {
      // Not a warning, because plain files are normal on a developer's machine.
      if (code === 'plain_layout') log.info(message, { directory });
      else log.warn(message, { directory });
    },
    accepted: (mount, changes) => {
      const { waiting, loaded } = messages[mount.content];
      const { current } = keys().store;
      if (current === undefined) return log.info(waiting, where(mount));
      const { generation, keySets } = current;
      // The only file of a configuration is named already.
      const files = mount.content === 'configuration' ? {} : changes;
      log.info(loaded, { ...where(mount), generation, ...files, keys: describeKeys([...keySets.values()]) });
      for (const { name, warnings, notes } of keySets.values()) {
        if (warnings.length > 0) log.warn(`a key set ${warnings.join('; it ')}`, { key: name });
        if (notes.length > 0) log.info(`a key set ${notes.join('; it ')}`, { key: name });
      }
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
