/** Logs what happens to the mounted keys and the configuration. */

import { type MountedKeys, type MountedKeysEvents, problemsOf } from '../key-sets/mounted.ts';
import type { Log } from '../ops/log.ts';

/**
 * @param keys called by the events, which begin when the keys are opened
 * @param onReady called whenever keys are put to use
 */
export function logKeyEvents(log: Log, keys: () => MountedKeys, onReady: () => void): MountedKeysEvents {
  return {
    leftOut: (warning) => log.warn(warning),
    refused: (mount) => {
      const consequence = keys().store.current === undefined ? 'not ready' : 'the last good keys stay in use';
      log.warn(`keys not loaded: ${consequence}`, {
        directory: mount.volume.directory,
        problems: problemsOf(mount).map(({ message }) => message),
      });
    },
    warning: ({ volume: { directory } }, { code, message }) => {
      // Not a warning, because plain files are normal on a developer's machine.
      if (code === 'plain_layout') log.info(message, { directory });
      else log.warn(message, { directory });
    },
    accepted: ({ volume: { directory } }, changes) => {
      const { current } = keys().store;
      if (current === undefined) {
        return log.info('directory read; waiting for the other directories or the configuration', {
          directory,
        });
      }
      const { generation, keySets } = current;
      log.info('keys loaded', { directory, generation, ...changes });
      for (const { name, warnings } of keySets.values()) {
        for (const warning of warnings) log.warn(`a key set ${warning}`, { key: name });
      }
      onReady();
    },
  };
}
