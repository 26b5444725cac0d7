/** What a configuration says about a key set: where its keys come from, and what they may be used for. */

import type { Format } from '../signing/format.ts';
import type { Algorithm } from '../signing/mac.ts';
import type { Policy } from '../signing/policy.ts';

export type KeyEncoding = (typeof keyEncodings)[number];

export const keyEncodings = ['bytes', 'text', 'hex', 'base64', 'base64url', 'whsec', 'jwks'] as const;

/** Where the secret comes from: a file, an environment variable, or the file of a root that derives tenants' keys. */
export type KeySource = { readonly file: string } | { readonly env: string } | { readonly root: string };

/** The file of a source; undefined for an environment variable. */
export function fileOf(source: KeySource): string | undefined {
  if ('env' in source) return undefined;
  return 'root' in source ? source.root : source.file;
}

/** The most files in `alsoVerify`. The limit bounds the cost of a verification, which tries every key. */
export const maxAlsoVerify = 16;

export interface KeySettings {
  readonly source: KeySource;
  /** Files whose keys verify and never sign. They are written like the file of the source, and may be missing. */
  readonly alsoVerify: readonly string[];
  readonly encoding: KeyEncoding;
  readonly format: Format;
  /** Default: what the keys of a JWK set say, else the format's first. */
  readonly algorithm?: Algorithm | undefined;
  readonly policy: Policy;
  /** How long a replaced key still verifies, in this process. JWK sets and `alsoVerify` list the keys that verify. */
  readonly retainPreviousSeconds: number;
  /** Whether a short or repetitive key is accepted. */
  readonly allowWeakKey: boolean;
  /** Whether the key is the text of a `whsec_` secret, as some issuers use it, and not what the text stands for. */
  readonly allowUndecoded: boolean;
}

/** Which key sets there are. */
export interface Configuration {
  /** The names of the files that they are made of; undefined for every file. */
  readonly files: ReadonlySet<string> | undefined;
  /** By name. Without a configuration file, each of the given files is one. */
  readonly keySets: (fileNames: readonly string[]) => ReadonlyMap<string, KeySettings>;
}

/** The configuration without other key sets, so that their files are not read and their problems are not reported. */
export function onlyKeySet({ keySets }: Configuration, name: string): Configuration {
  const settings = keySets([name]).get(name);
  const file = settings && fileOf(settings.source);
  return {
    files: new Set(file === undefined ? [] : [file]),
    keySets: (files) => new Map([...keySets(files)].filter(([each]) => each === name)),
  };
}

/** A configuration with what was left out of its file. */
export interface ConfigurationFile {
  readonly configuration: Configuration;
  readonly warnings: readonly string[];
  /** What somebody who checks the configuration should know. */
  readonly notes: readonly string[];
}

/** The callers that a configuration can name. */
export interface KnownCallers {
  readonly names: readonly string[];
  /** Whether there may be others, because the listeners are not known. */
  readonly mayBeMore: boolean;
}

/** Names that fit into a path of the API. `..data` belongs to the kubelet, and `.` is no name in a path. */
export const keySetNamePattern = /^(?!\.\.|\.$)[A-Za-z0-9._-]{1,253}$/;

export function isKeySetName(name: string): boolean {
  return keySetNamePattern.test(name);
}

/**
 * Paths that a configuration can name. Tools write files with names of all kinds (`arn:aws:…`). What is not allowed could
 * lead out of the directory, belongs to the kubelet (`..data`), or is no text.
 */
export function isFilePath(path: string): boolean {
  const elements = path.split('/');
  if (path.length > 1024 || !path.isWellFormed() || /[\p{Cc}\u2028\u2029]/u.test(path)) return false;
  return elements.every((element) => element !== '' && element !== '.' && !element.startsWith('..'));
}

const pathElement = String.raw`(?!\.\.|\.(?:/|$))[^/\u0000-\u001f\u007f-\u009f\u2028\u2029]+`;
/** The same rule in JSON Schema. */
export const filePathSchema = { maxLength: 1024, pattern: `^${pathElement}(?:/${pathElement})*$` } as const;

export const filePathRule =
  'without control characters, no part of it may be "." or begin with "..", and / stands only between sub-directories';

/** The name of a listener, and of whoever comes in through it. */
export const callerNamePattern = /^[a-z][a-z0-9-]{0,62}$/;

export function isCallerName(name: string): boolean {
  return callerNamePattern.test(name);
}

export const callerNameRule = '1 to 63 of a-z 0-9 - and begin with a letter';

export const keySetNameRule = '1 to 253 of A-Z a-z 0-9 . _ - and do not begin with ".."';

/** Without a declared encoding, a file named `*.jwks.json` is a JWK set. */
export function defaultEncoding(file: string): KeyEncoding {
  return file.endsWith('.jwks.json') ? 'jwks' : 'bytes';
}

/** Names a file in a sub-directory by its path with dots for slashes. */
export function fileName(path: string): string {
  return path.replaceAll('/', '.');
}
