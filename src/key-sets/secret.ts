/** The content of secret files, held where neither a log line nor an inspector shows it. */

import { createSecretKey, type KeyObject } from 'node:crypto';
import { yieldTurns } from '../turns.ts';
import { fileName } from './settings.ts';

export type Secret = KeyObject;

/** What a mounted directory holds. */
export interface SecretFiles {
  /** By path, with slashes for sub-directories. */
  readonly secrets: ReadonlyMap<string, Secret>;
  /** Names of files that were not read, to suggest one if a wanted file is missing. */
  readonly others: readonly string[];
}

/** A secret file, and the mounted directory that it is in. */
export interface MountedSecret {
  readonly directory: string;
  readonly secret: Secret;
}

/** Where secrets are found. */
export interface Secrets {
  /** By name. Two files of one name are an error if a key set uses the name. */
  readonly files: ReadonlyMap<string, readonly MountedSecret[]>;
  /** Names of other files, to suggest where one is missing. */
  readonly others: readonly string[];
  readonly variable: (name: string) => Secret | undefined;
}

/** Copies the bytes into a secret and overwrites the original. */
export function sealSecret(bytes: Uint8Array): Secret {
  const secret = createSecretKey(bytes);
  bytes.fill(0);
  return secret;
}

/** Takes over the files of a directory: the originals are overwritten. */
export async function sealFiles(
  files: Iterable<readonly [path: string, bytes: Uint8Array]>,
  others: readonly string[] = [],
): Promise<SecretFiles> {
  const pause = yieldTurns();
  const secrets = new Map<string, Secret>();
  for (const [path, bytes] of files) {
    await pause();
    secrets.set(path, sealSecret(bytes));
  }
  return { secrets, others };
}

/** Lends the bytes for as long as `use` runs; they are overwritten afterwards. */
export function withBytes<T>(secret: Secret, use: (bytes: Buffer) => T): T {
  const bytes = secret.export();
  try {
    return use(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** The files of all directories. A projected file `my-group/my-key` is named `my-group.my-key`. */
export function filesByName(contents: ReadonlyMap<string, SecretFiles | undefined>): {
  readonly files: ReadonlyMap<string, readonly MountedSecret[]>;
  readonly others: readonly string[];
} {
  const files = new Map<string, MountedSecret[]>();
  for (const [directory, content] of contents) {
    for (const [path, secret] of content?.secrets ?? []) {
      const mounted = files.get(fileName(path));
      if (mounted === undefined) files.set(fileName(path), [{ directory, secret }]);
      else mounted.push({ directory, secret });
    }
  }
  return { files, others: [...contents.values()].flatMap((content) => content?.others ?? []) };
}
