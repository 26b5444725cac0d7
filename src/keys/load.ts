/** One reading of a secret volume to its keys: all of them, or every reason why not. */

import { setImmediate } from 'node:timers/promises';
import { type Reading, VolumeError, type VolumeProblem } from '../secret-volume/index.ts';
import { type LoadedKey, parseKeyFile } from './key-file.ts';
import type { KeySettings } from './settings.ts';

const namePattern = /^(?!\.\.)[A-Za-z0-9._-]{1,253}$/;

/** Requests are answered in between when a reading holds many keys. */
const yieldEachMs = 2;

/**
 * @param settingsFor how the key set of a name is to be read and used
 * @throws {VolumeError} naming every file that is refused, and why
 */
export async function loadKeys(
  reading: Reading,
  settingsFor: (name: string) => KeySettings,
): Promise<readonly LoadedKey[]> {
  const keys: LoadedKey[] = [];
  const problems: VolumeProblem[] = [];
  const refuse = (name: string, what: string) => {
    problems.push({ code: 'refused', name, message: `${JSON.stringify(name)} ${what}` });
  };
  let started = performance.now();
  for (const [path, secret] of reading.files) {
    if (performance.now() - started > yieldEachMs) {
      await setImmediate();
      started = performance.now();
    }
    // A projected file `my-group/my-key` is the key set `my-group.my-key`.
    const name = path.replaceAll('/', '.');
    if (!namePattern.test(name)) {
      refuse(path, 'is not a usable name; use 1 to 253 of A-Z a-z 0-9 . _ - and do not begin with ".."');
    } else {
      const loaded = parseKeyFile(name, secret, settingsFor(name));
      if ('key' in loaded) keys.push(loaded);
      else for (const what of loaded) refuse(path, what);
    }
  }
  if (problems.length > 0) throw new VolumeError(problems);
  return keys;
}
