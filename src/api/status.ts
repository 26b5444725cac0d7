/** The answer of `/status` on the ops listener: names, counts and times, but no key material. */

export interface Status {
  readonly version: string;
  /** Whether the signer has loaded valid keys and serves requests. */
  readonly ready: boolean;
  /** Counts up with each change of keys or configuration. */
  readonly generation: number;
  readonly loadedAt: string | null;
  readonly keySets: number;
  readonly volumes: readonly VolumeStatus[];
  /** Absent if no audit is kept. */
  readonly audit?: AuditStatus;
}

export interface AuditStatus {
  /** The path, or `-` for standard output. */
  readonly file: string;
  /** What happens to a request that cannot be recorded. */
  readonly onFailure: 'refuse' | 'continue';
  /** Why the last line could not be written; null if it could. */
  readonly problem: string | null;
  /** How many operations could not be recorded. */
  readonly failures: number;
  /** The end of the chain: the number of the last line, and its SHA-256 in hex. */
  readonly head: { readonly seq: number; readonly hash: string };
}

export interface VolumeStatus {
  readonly directory: string;
  /** What the signer reads from the directory. A directory that holds both is listed twice. */
  readonly content: 'keys' | 'configuration';
  readonly layout: 'atomic' | 'plain' | null;
  readonly generation: number;
  readonly lastSuccess: string | null;
  readonly watcher: 'up' | 'down' | 'off';
  /** How many changes the poll found that the watcher had missed. */
  readonly rescuedByPoll: number;
  /** How many contents were read completely, but refused. */
  readonly rejected: number;
  /** Why the latest content is not in use; empty if it is. */
  readonly problems: readonly string[];
}
