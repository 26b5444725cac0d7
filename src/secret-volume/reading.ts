/**
 * A reading: access to the files of one generation. The bytes are in a closure, so that neither `console.log` nor
 * `JSON.stringify` can show them.
 */

import type { Layout } from './identity.ts';
import { about, VolumeError, type VolumeProblemCode, type VolumeWarning } from './problem.ts';
import { type Files, wipe } from './read.ts';

/** The two files of a Secret of the type `kubernetes.io/basic-auth`. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/**
 * The files of a secret volume, all of the same generation. It never changes.
 * A name contains slashes for sub-directories, like the `path` of an `items` entry in Kubernetes.
 */
export interface Reading {
  /** The names of all files, sorted. */
  readonly names: readonly string[];
  readonly layout: Layout;
  /** Starts at 1, and counts up with each published change of content. */
  readonly generation: number;
  readonly readAt: Date;
  has(name: string): boolean;
  /**
   * The exact bytes of a file. They are a copy, which the caller may overwrite. Only within `parse` they are the memory of
   * the reading itself, which is overwritten when `parse` has settled.
   * @throws {VolumeError} `missing_file`
   */
  bytes(name: string): Uint8Array<ArrayBuffer>;
  /**
   * A file as UTF-8 text, without one final `\n` or `\r\n`, which editors and `echo` append.
   * @throws {VolumeError} `missing_file`; `not_text` for a byte order mark (of UTF-8 or UTF-16) or invalid UTF-8
   */
  text(name: string): string;
  /** @throws {VolumeError} `missing_file`, `not_text`, `not_json`, without any part of the text */
  json(name: string): unknown;
  /**
   * A user name and its password, as `text` returns them.
   * @param usernameFile default `username`
   * @param passwordFile default `password`
   * @throws {VolumeError} `missing_file`, `not_text`
   */
  credentials(usernameFile?: string, passwordFile?: string): Credentials;
}

/** A reading with the control of its memory, which only the volume has. */
export interface OwnedReading {
  readonly reading: Reading;
  /** From now on, the reading returns copies of its bytes. */
  publish(): void;
  /** Overwrites all bytes. Any later access throws a `TypeError`. */
  destroy(): void;
}

/** @param onWarning called each time that `text` removes a newline */
export function createReading(
  files: Files,
  facts: Pick<Reading, 'layout' | 'generation' | 'readAt'>,
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
