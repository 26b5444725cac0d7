/**
 * One reading as a program uses it: typed access to the files of one generation. The bytes are held in a closure, so
 * that neither an inspection nor JSON of a reading can show them.
 */

import type { Layout } from './identity.ts';
import { about, VolumeError, type VolumeProblemCode, type VolumeWarning } from './problem.ts';
import { type Files, wipe } from './read.ts';

/** What opens a database or a service (a Secret of the type `kubernetes.io/basic-auth` has these two files). */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/**
 * One consistent set of files out of a secret volume, all of one generation; immutable.
 * Names have slashes for sub-directories, as the `path` of a Kubernetes `items` entry does.
 */
export interface Reading {
  /** Every file's name, sorted. */
  readonly names: readonly string[];
  /** Names of files beside them that were not selected and not read, at most 100. */
  readonly others: readonly string[];
  readonly layout: Layout;
  /** Counts up from 1 with each published change of content. */
  readonly generation: number;
  readonly readAt: Date;
  has(name: string): boolean;
  /**
   * The exact bytes of a file: a copy, which the caller may overwrite. Within `parse` it is the reading's own memory,
   * which is overwritten when `parse` has settled.
   * @throws {VolumeError} `missing_file`
   */
  bytes(name: string): Uint8Array<ArrayBuffer>;
  /**
   * A file as UTF-8 text without one final `\n` or `\r\n`, which an editor or `echo` leaves behind.
   * @throws {VolumeError} `missing_file`; `not_text` for a byte order mark (UTF-16 included) or any invalid byte
   */
  text(name: string): string;
  /** @throws {VolumeError} `missing_file`, `not_text`, `not_json` (which repeats nothing of the text) */
  json(name: string): unknown;
  /**
   * A user name and the password that belongs to it, as `text` gives them.
   * @param usernameFile default `username`
   * @param passwordFile default `password`
   * @throws {VolumeError} `missing_file`, `not_text`
   */
  credentials(usernameFile?: string, passwordFile?: string): Credentials;
}

/** A reading together with the say over its memory, which stays with the volume. */
export interface OwnedReading {
  readonly reading: Reading;
  /** From now on the reading is published: what it gives out are copies. */
  publish(): void;
  /** Overwrites every byte; whoever still asks for one gets a `TypeError`. */
  destroy(): void;
}

/** @param onWarning told each time `text` leaves out a newline */
export function createReading(
  files: Files,
  facts: Pick<Reading, 'layout' | 'generation' | 'readAt' | 'others'>,
  onWarning: (warning: VolumeWarning) => void,
): OwnedReading {
  let state: 'own' | 'published' | 'destroyed' = 'own';
  const find = (name: string) => {
    if (state === 'destroyed') {
      throw new TypeError(
        'this reading was overwritten after parse; return the reading itself, or what is needed of it',
      );
    }
    const bytes = files.get(name);
    if (bytes === undefined) throw refused(name, 'missing_file', 'is not in the volume');
    return bytes;
  };
  const text = (name: string) => {
    const bytes = find(name);
    const length = lengthWithoutNewline(bytes);
    if (length < bytes.length) {
      const what = 'ends with a newline, which is left out; write it without one (echo -n)';
      onWarning(about(name, 'trailing_newline', what));
    }
    return decode(name, bytes.subarray(0, length));
  };
  const reading: Reading = {
    ...facts,
    names: Object.freeze([...files.keys()].sort()),
    has: (name) => files.has(name),
    bytes: (name) => (state === 'own' ? find(name) : new Uint8Array(find(name))),
    text,
    json: (name) => {
      const json = decode(name, find(name));
      try {
        return JSON.parse(json);
      } catch {
        // The error of JSON.parse quotes the text.
        throw refused(name, 'not_json', 'is not valid JSON');
      }
    },
    credentials: (usernameFile = 'username', passwordFile = 'password') =>
      Object.freeze({ username: text(usernameFile), password: text(passwordFile) }),
  };
  return {
    reading: Object.freeze(reading),
    publish: () => {
      state = 'published';
    },
    destroy: () => {
      state = 'destroyed';
      wipe(files);
    },
  };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const byteOrderMarks = [
  [0xef, 0xbb, 0xbf],
  [0xff, 0xfe],
  [0xfe, 0xff],
] as const;

function decode(name: string, bytes: Uint8Array): string {
  if (byteOrderMarks.some((mark) => mark.every((byte, index) => bytes[index] === byte))) {
    throw refused(name, 'not_text', 'begins with a byte order mark; save it as UTF-8 without one');
  }
  try {
    return utf8.decode(bytes);
  } catch {
    throw refused(name, 'not_text', 'is not UTF-8 text; save it as UTF-8, or read it as bytes');
  }
}

function lengthWithoutNewline(bytes: Uint8Array): number {
  if (bytes.at(-1) !== 0x0a) return bytes.length;
  return bytes.at(-2) === 0x0d ? bytes.length - 2 : bytes.length - 1;
}

function refused(name: string, code: VolumeProblemCode, what: string): VolumeError {
  return new VolumeError([about(name, code, what)]);
}
