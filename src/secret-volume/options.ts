/** The options of a volume, with their defaults and limits. */

import { selectPaths, type Target, type VolumeLimits } from './identity.ts';
import type { Reading } from './reading.ts';
import { fileEvents, type HintSource } from './watch.ts';

export interface VolumeOptions<T = Reading> {
  /**
   * Files that must exist and must not be empty. If you give `required` or `optional`, all other files are ignored.
   * Default: every file is read, and there must be at least one.
   */
  readonly required?: readonly string[];
  /** Files that may be missing. */
  readonly optional?: readonly string[];
  /**
   * Checks a reading and turns it into the value that the program uses. If it throws, the reading is rejected and the
   * last good value stays in use. Throw a `VolumeError` to say why: of any other error only the class name is kept,
   * because its message could contain a secret. The bytes of the reading are overwritten when `parse` has settled, unless
   * it returns the reading itself. Default: the value is the reading.
   */
  readonly parse?: (reading: Reading) => T | Promise<T>;
  readonly limits?: Partial<VolumeLimits>;
  /** Milliseconds between two polls of the directory, varied by 10 %. Default: 4000. */
  readonly pollIntervalMs?: number;
  /** The source of change hints, or `false` to use only the poll. Default: file system events. */
  readonly watch?: HintSource | false;
}

const defaultLimits: VolumeLimits = { maxFileBytes: 2 ** 20, maxFiles: 1024, maxTotalBytes: 2 ** 24 };
const defaultPollMs = 4000;

export interface ResolvedOptions {
  readonly target: Target;
  readonly pollMs: number;
  readonly source: HintSource | false;
}

/** @throws {RangeError} for an interval or a limit that is not a positive number */
export function resolveOptions(directory: string, options: VolumeOptions<unknown>): ResolvedOptions {
  const { required = [], optional = [], pollIntervalMs = defaultPollMs, watch = fileEvents } = options;
  const limits = { ...defaultLimits, ...options.limits };
  for (const [name, value] of Object.entries({ pollIntervalMs, ...limits })) {
    if (!(value > 0 && value < 2 ** 31)) {
      throw new RangeError(`"${name}" must be a positive number below 2^31`);
    }
  }
  const names = new Set([...required, ...optional]);
  const isNamed = options.required !== undefined || options.optional !== undefined;
  const selection = isNamed ? selectPaths(names) : undefined;
  return {
    target: { directory, limits, selection, required, mayBeEmpty: names.size > 0 },
    pollMs: pollIntervalMs,
    source: watch,
  };
}
