/** Key stores for tests, made from YAML and bytes as the program makes them, and an oracle for what keys compute. */

import { randomBytes } from 'node:crypto';
import { hmac } from '@noble/hashes/hmac.js';
import { sha1 } from '@noble/hashes/legacy.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { sha3_256, sha3_384, sha3_512 } from '@noble/hashes/sha3.js';
import { onTestFinished } from 'vitest';
import { everyFile } from '../../src/config/defaults.ts';
import { parseConfiguration } from '../../src/config/file.ts';
import { sealFiles } from '../../src/key-sets/secret.ts';
import type { Configuration } from '../../src/key-sets/settings.ts';
import type { Source } from '../../src/key-sets/source.ts';
import { createKeyStore, type KeyStore, type KeyStoreOptions } from '../../src/key-sets/store.ts';
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
  const store = createKeyStoreOfTest({
    directories: [directory],
    ...(yaml !== 'later' && { configuration: yaml === undefined ? everyFile : configurationOf(yaml) }),
    variable: (name) => (env[name] === undefined ? undefined : Buffer.from(env[name])),
    ...(clocks !== undefined && { clocks }),
  });
  return {
    store,
    put: (content) => load(store, directory, readingOf(content)),
    configure: (text) => configure(store, configurationOf(text)),
  };
}

/** The configuration of a file. @throws with its problems */
export function configurationOf(yaml: string): Configuration {
  const parsed = atOnce(parseConfiguration(yaml));
  if (parsed.ok) return parsed.value.configuration;
  throw new Refusal(parsed.problems);
}

/** The problems of a configuration file, or none. */
export function configurationProblems(yaml: string): readonly string[] {
  const parsed = atOnce(parseConfiguration(yaml));
  return parsed.ok ? [] : parsed.problems;
}

/** The result of work that yields between its steps, without a pause. */
export function atOnce<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

/** What keeps a content out of use. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.problems = problems;
  }
}

/** @throws {Refusal} when the content is not accepted */
export async function load(
  store: KeyStore,
  directory: string,
  { files }: { readonly files: ReadonlyMap<string, Uint8Array> },
): Promise<void> {
  const source = sourceOf(store, directory);
  const changed = [...files.keys(), ...(source.latest?.secrets.keys() ?? [])];
  await offer(store, source, await sealFiles(files), changed);
}

/** @throws {Refusal} when the configuration is not accepted */
export async function configure(store: KeyStore, configuration: Configuration): Promise<void> {
  await offer(store, store.configuration, configuration);
}

/** What a source held cannot be read any more. */
export async function lose(store: KeyStore, directory?: string): Promise<void> {
  await (directory === undefined
    ? store.offer(store.configuration, undefined)
    : store.offer(sourceOf(store, directory), undefined));
}

function sourceOf(store: KeyStore, directory: string) {
  const source = store.directories.get(directory);
  if (source === undefined) throw new Error('not a directory of this store');
  return source;
}

async function offer<C>(
  store: KeyStore,
  source: Source<C>,
  content: C,
  changedFiles?: Iterable<string>,
): Promise<void> {
  await store.offer(source, content, changedFiles);
  if (source.isWaiting) throw new Refusal(source.problems);
}

/** The problems of a load that is refused. @throws when it is not */
export async function problemsOf(load: Promise<unknown>): Promise<readonly string[]> {
  const error = await load.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Refusal)) throw new Error('the load was to be refused', { cause: error });
  return error.problems;
}

const hashes = {
  HS256: sha256,
  HS384: sha384,
  HS512: sha512,
  'HMAC-SHA3-256': sha3_256,
  'HMAC-SHA3-384': sha3_384,
  'HMAC-SHA3-512': sha3_512,
  'HMAC-SHA1': sha1,
} as const;

/** What an independent implementation computes. */
export function tagOf(algorithm: Algorithm, key: Uint8Array | string, message: Uint8Array | string): Buffer {
  return Buffer.from(hmac(hashes[algorithm], Buffer.from(key), Buffer.from(message)));
}
