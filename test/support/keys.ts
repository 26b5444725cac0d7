/** Key stores for tests, made from YAML and bytes as the program makes them, and an oracle for what keys compute. */

import { randomBytes } from 'node:crypto';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { sha3_256, sha3_384, sha3_512 } from '@noble/hashes/sha3.js';
import { onTestFinished } from 'vitest';
import { everyFile } from '../../src/config/defaults.ts';
import { parseConfiguration } from '../../src/config/file.ts';
import { createKeyStore, type KeyStore, type KeyStoreOptions } from '../../src/key-sets/store.ts';
import { VolumeError } from '../../src/secret-volume/index.ts';
import type { Environment } from '../../src/signer.ts';
import type { Clocks } from '../../src/signing/clocks.ts';
import type { Algorithm } from '../../src/signing/mac.ts';

/** The files of a directory; text is UTF-8. */
export type Content = Readonly<Record<string, string | Uint8Array>>;

/** A reading of these files, in bytes of its own, since a store overwrites them. */
export function readingOf(content: Content): { readonly files: ReadonlyMap<string, Uint8Array> } {
  const files = Object.entries(content).map(
    ([name, bytes]) => [name, new Uint8Array(Buffer.from(bytes))] as const,
  );
  return { files: new Map(files) };
}

/** Clocks that stand still until they are moved, and real chance. */
export interface ManualClocks extends Environment {
  /** Time goes by. */
  advance(ms: number): void;
  /** Somebody sets the clock, and no time goes by. */
  setNow(ms: number): void;
}

export function manualClocks(): ManualClocks {
  let now = Date.UTC(2026, 0, 1);
  let monotonic = 1000;
  return {
    now: () => now,
    monotonicMs: () => monotonic,
    random: randomBytes,
    advance: (ms) => {
      now += ms;
      monotonic += ms;
    },
    setNow: (ms) => {
      now = ms;
    },
  };
}

/** A store of one mounted directory. */
export interface TestStore {
  readonly store: KeyStore;
  /** The directory's next content. */
  put(content: Content): Promise<void>;
  /** The next configuration. */
  configure(yaml: string): Promise<void>;
}

export interface TestStoreOptions {
  /** The configuration, or `later` for one that comes; default: every file is a key set. */
  readonly yaml?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly clocks?: Clocks;
}

/** A store that lets go of its keys, and of its timer, when the test ends. */
export function createKeyStoreOfTest(options: KeyStoreOptions): KeyStore {
  const store = createKeyStore(options);
  onTestFinished(() => store.drop());
  return store;
}

export function createTestStore({ yaml, env = {}, clocks }: TestStoreOptions = {}): TestStore {
  const directory = '/etc/signer/keys';
  const configurationOf = (text: string) => parseConfiguration(text).configuration;
  const store = createKeyStoreOfTest({
    directories: [directory],
    ...(yaml !== 'later' && { configuration: yaml === undefined ? everyFile : configurationOf(yaml) }),
    variable: (name) => (env[name] === undefined ? undefined : Buffer.from(env[name])),
    ...(clocks !== undefined && { clocks }),
  });
  return {
    store,
    put: (content) => store.load(directory, readingOf(content)),
    configure: (text) => store.configure(configurationOf(text)),
  };
}

/** The problems of a load that is refused. @throws when it is not */
export async function problemsOf(load: Promise<unknown>): Promise<readonly string[]> {
  const error = await load.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof VolumeError)) throw new Error('the load was to be refused', { cause: error });
  return error.problems.map(({ message }) => message);
}

const hashes = {
  HS256: sha256,
  HS384: sha384,
  HS512: sha512,
  'HMAC-SHA3-256': sha3_256,
  'HMAC-SHA3-384': sha3_384,
  'HMAC-SHA3-512': sha3_512,
} as const;

/** What an independent implementation computes. */
export function tagOf(algorithm: Algorithm, key: Uint8Array | string, message: Uint8Array | string): Buffer {
  return Buffer.from(hmac(hashes[algorithm], Buffer.from(key), Buffer.from(message)));
}
