/**
 * The answer of `/status` on the ops listener: names, ids, counts and times. No key material, no option of a format or
 * limit of a policy, no tenant, and no warning about a key that is in use: other pods may reach the ops listener.
 */

import type { Formats, Operation } from './messages.ts';

export interface Status {
  readonly version: string;
  /** Whether the signer has loaded valid keys and serves requests. */
  readonly ready: boolean;
  /** Whether it has been told to stop. It still finishes requests. */
  readonly stopping: boolean;
  readonly startedAt: string;
  /** Counts up with each change of keys or configuration. */
  readonly generation: number;
  readonly loadedAt: string | null;
  readonly keySets: number;
  /** All key sets, by name. */
  readonly keys: readonly KeySetStatus[];
  /** Where callers come in. */
  readonly listeners: readonly ListenerStatus[];
  /** The addresses of the ops listener. */
  readonly ops: readonly string[];
  readonly volumes: readonly VolumeStatus[];
  /** Absent if no audit is kept. */
  readonly audit?: AuditStatus;
}

export interface KeySetStatus {
  readonly name: string;
  readonly format: keyof Formats;
  readonly algorithm: string;
  /** What each caller may do, by its name. A caller that may do nothing is not listed. */
  readonly callers: Readonly<Record<string, readonly Operation[]>>;
  /** Set if each tenant has a key of its own. `keys` are then those from which they are derived. */
  readonly derived?: true;
  /** When this process first saw the primary as the primary. */
  readonly since: string;
  /** All keys that verify, the primary first. */
  readonly keys: readonly KeyStatus[];
}

export interface KeyStatus {
  /** The id; or its length, if it could be a key in the wrong place. */
  readonly id: string;
  /** The primary signs and verifies, the others verify. */
  readonly role: 'primary' | 'other';
  /** Set if the key was replaced and is kept in memory: when it stops verifying, or with the process. */
  readonly until?: string;
  /** When the key last signed, or last verified a valid signature, in this process. Empty if it has not been used. */
  readonly lastUsed: Readonly<Partial<Record<Operation, string>>>;
}

export interface ListenerStatus {
  readonly caller: string;
  /** Of TCP there may be two addresses; a socket has a path. */
  readonly addresses: readonly string[];
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
