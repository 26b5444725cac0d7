/** How a key set is read and used: what a configuration says of it. */

import type { Format } from '../signing/format.ts';
import type { Algorithm } from '../signing/mac.ts';
import type { Policy } from '../signing/policy.ts';

/** How the key is written in its file. */
export type KeyEncoding = (typeof keyEncodings)[number];

export const keyEncodings = ['bytes', 'text', 'hex', 'base64', 'base64url', 'whsec', 'jwks'] as const;

/**
 * Where the secret comes from: a file of a secret volume, or a variable of the environment. From a root, also a file,
 * the keys of tenants are derived.
 */
export type KeySource = { readonly file: string } | { readonly env: string } | { readonly root: string };

export interface KeySettings {
  readonly source: KeySource;
  readonly encoding: KeyEncoding;
  readonly format: Format;
  /** Default: what the keys of a JWK set say, else the format's first. */
  readonly algorithm?: Algorithm | undefined;
  readonly policy: Policy;
  /** For how many seconds a replaced key still verifies. A JWK set says itself which keys verify. */
  readonly retainPreviousSeconds: number;
  /** Lets a key in that is too short or one repeated byte. */
  readonly allowWeakKey: boolean;
}

/** Which key sets there are. */
export interface Configuration {
  /** The names of the files that they are made of; undefined for every file. */
  readonly files: ReadonlySet<string> | undefined;
  /** By name. Without a configuration file, each of the given files is one. */
  readonly keySets: (fileNames: readonly string[]) => ReadonlyMap<string, KeySettings>;
}

/** A configuration with what was left out of its file. */
export interface ConfigurationFile {
  readonly configuration: Configuration;
  readonly warnings: readonly string[];
}

/** Names that a path of the API can hold: neither the kubelet's own (`..data`) nor a path's own (`.`). */
export const keySetNamePattern = /^(?!\.\.|\.$)[A-Za-z0-9._-]{1,253}$/;

export function isKeySetName(name: string): boolean {
  return keySetNamePattern.test(name);
}

export const keySetNameRule = '1 to 253 of A-Z a-z 0-9 . _ - and do not begin with ".."';

/** A JWK set is known by its name where nothing is declared. */
export function defaultEncoding(file: string): KeyEncoding {
  return file.endsWith('.jwks.json') ? 'jwks' : 'bytes';
}

/** How a file in a sub-directory is named. */
export function fileName(path: string): string {
  return path.replaceAll('/', '.');
}
