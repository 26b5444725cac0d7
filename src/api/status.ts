/** What the ops listener reports at `/status`: names, counts and times, never key material. */

export interface Status {
  readonly version: string;
  /** Whether requests are served with a valid snapshot. */
  readonly ready: boolean;
  readonly generation: number;
  readonly loadedAt: string | null;
  readonly keySets: number;
  readonly volumes: readonly VolumeStatus[];
}

export interface VolumeStatus {
  readonly directory: string;
  /** What is read from it; a directory may hold both, and is followed for each. */
  readonly content: 'keys' | 'configuration';
  readonly layout: 'atomic' | 'plain' | null;
  readonly generation: number;
  readonly lastSuccess: string | null;
  readonly watcher: 'up' | 'down' | 'off';
  readonly rescuedByPoll: number;
  /** How many contents were complete and yet refused. */
  readonly rejected: number;
  /** Why the newest content is not in use; empty when it is. */
  readonly problems: readonly string[];
}
