/** Mounted key directories to a live key store: the part that `serve` and `check` have in common. */

import { defaultSettings } from '../keys/settings.ts';
import { createKeyStore, type KeyStore } from '../keys/store.ts';
import { openVolume, type Volume, type VolumeOptions } from '../secret-volume/index.ts';

export interface LiveKeys {
  readonly store: KeyStore;
  readonly volumes: readonly Volume<void>[];
}

export function openKeys(
  directories: readonly string[],
  options: Pick<VolumeOptions<void>, 'watch'> = {},
): LiveKeys {
  const store = createKeyStore(directories, () => defaultSettings);
  const volumes = directories.map((directory) =>
    openVolume(directory, { ...options, parse: (reading) => store.load(directory, reading) }),
  );
  // A directory refused because of another one (the same key in both) is looked at again when the other changes.
  for (const volume of volumes) {
    volume.onChange(() => {
      for (const other of volumes)
        if (other !== volume && other.health.problem !== undefined) other.refresh();
    });
  }
  return { store, volumes };
}
