/** `sidecar-signer check`: what `serve` would load, and every problem, without serving. */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { styleText } from 'node:util';
import { everyFile } from '../config/defaults.ts';
import { ok } from '../key-sets/result.ts';
import { sealFiles } from '../key-sets/secret.ts';
import type { KeySet } from '../key-sets/snapshot.ts';
import { createKeyStore, type KeyStore } from '../key-sets/store.ts';
import { takeVariable } from './environment.ts';
import { type KeyOptions, readConfiguration, readOnce } from './open-keys.ts';
import { filesOf, parseSecretManifest } from './secret-manifest.ts';
import { SettingError } from './setting-error.ts';

export interface CheckOptions extends KeyOptions {
  /** A Secret manifest to check in place of the key directories; `-` for standard input. */
  readonly secret?: string;
  readonly json?: true;
}

interface Report {
  readonly valid: boolean;
  readonly keys: readonly CheckedKeySet[];
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

interface CheckedKeySet {
  readonly name: string;
  readonly format: string;
  readonly algorithm: string;
  readonly allow: readonly string[];
  /** The primary first. */
  readonly keyIds: readonly string[];
  /** Set where the key ids are those of roots. */
  readonly derived?: Derived;
}

/** Of keys that are derived: for how many tenants, null for any, and whether their secrets may be printed. */
interface Derived {
  readonly tenants: number | null;
  readonly allowExport: boolean;
}

export async function check(options: CheckOptions): Promise<void> {
  const { secret } = options;
  const report = await (secret === undefined ? inspectMounted(options) : inspectManifest(secret, options));
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : describe(report));
  process.exitCode = report.valid ? 0 : 1;
}

async function inspectMounted(options: KeyOptions): Promise<Report> {
  const { store, problems, warnings } = await readOnce(options);
  return report(store, problems, [...warnings, ...options.keys.flatMap(permissionNotes)]);
}

/** The manifest's content in the place of a mounted directory. */
async function inspectManifest(secret: string, { config }: KeyOptions): Promise<Report> {
  const everything = ok({ configuration: everyFile, warnings: [] });
  const configured = config === undefined ? everything : await readConfiguration(readText(config));
  if (!configured.ok)
    return report(
      undefined,
      configured.problems.map((problem) => `${config}: ${problem}`),
    );
  const { configuration, warnings } = configured.value;
  const manifest = parseSecretManifest(readText(secret));
  const files = manifest.ok ? filesOf(manifest.value) : manifest;
  if (!files.ok) return report(undefined, files.problems, warnings);
  const store = createKeyStore({ directories: [secret], configuration, variable: takeVariable });
  const sources = [...store.directories.values()];
  for (const source of sources) await store.offer(source, await sealFiles(files.value));
  return report(
    store,
    sources.flatMap(({ problems }) => problems),
    warnings,
  );
}

function report(
  store: KeyStore | undefined,
  found: readonly string[],
  notes: readonly string[] = [],
): Report {
  const valid = store?.current !== undefined;
  const keySets = [...(store?.current?.keySets.values() ?? [])];
  store?.drop();
  const problems = [...new Set(found)];
  return {
    valid,
    keys: keySets.map(describeKeySet),
    problems: valid ? [] : problems,
    notes: [
      ...keySets.flatMap(({ name, warnings }) => warnings.map((warning) => `"${name}" ${warning}`)),
      // A directory that no key set needs (all come from the environment).
      ...(valid ? problems : []),
      ...notes,
    ],
  };
}

/** @throws {SettingError} */
function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch {
    throw new SettingError(`${file} cannot be read; check the path and its permissions`);
  }
}

function describeKeySet({ name, settings, keys, tenantKeys }: KeySet): CheckedKeySet {
  const { format, policy } = settings;
  const { tenants, allowExport = false } = policy;
  return {
    name,
    format: format.name,
    algorithm: keys[0].mac.algorithm,
    allow: policy.allow,
    keyIds: keys.map(({ id }) => id),
    ...(tenantKeys && { derived: { tenants: tenants?.size ?? null, allowExport } }),
  };
}

/** More names than this would hide what else there is to read. */
const maxNamed = 10;

/** Modes never refuse a key (0644 is Kubernetes' default), but a person may want to know. */
function permissionNotes(directory: string): string[] {
  const files = filesIn(directory);
  return [
    { what: 'read', bits: 0o4 },
    { what: 'write', bits: 0o2 },
    { what: 'read and write', bits: 0o6 },
  ].flatMap(({ what, bits }) => {
    const concerned = files.filter(({ mode }) => (mode & 0o6) === bits);
    const names = concerned.map(({ name }) => name).sort();
    if (names.length === 0) return [];
    const more = names.length - maxNamed;
    const named = [...names.slice(0, maxNamed), ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
    return [`every user of this machine can ${what} in ${resolve(directory)}: ${named}`];
  });
}

/** The files that a volume holds, in its folders as well; what cannot be looked at is left out. */
function filesIn(directory: string): readonly FileMode[] {
  // The links to them, which the kubelet makes beside it, have no modes of their own.
  const data = join(directory, '..data');
  return filesBelow(existsSync(data) ? data : directory, '');
}

interface FileMode {
  readonly name: string;
  readonly mode: number;
}

/** Enters no linked folder: it could lead back to where the walk began. */
function filesBelow(directory: string, prefix: string): readonly FileMode[] {
  return orNothing(() => readdirSync(directory, { withFileTypes: true }))
    .filter(({ name }) => !name.startsWith('..'))
    .flatMap((entry) => {
      const [name, path] = [prefix + entry.name, join(directory, entry.name)];
      if (entry.isDirectory()) return filesBelow(path, `${name}/`);
      const file = orNothing(() => [statSync(path)]).filter((stats) => stats.isFile());
      return file.map(({ mode }) => ({ name, mode }));
    });
}

function orNothing<T>(look: () => T[]): T[] {
  try {
    return look();
  } catch {
    return [];
  }
}

function describe({ valid, keys, problems, notes }: Report): string {
  const width = Math.max(...keys.map(({ name }) => name.length));
  const lines = [
    ...keys.map(({ name, format, algorithm, allow, keyIds: [primary, ...others], derived }) => {
      const more = others.length === 0 ? '' : `, and ${others.length} more`;
      const key = `${derived === undefined ? 'key id' : `${describeDerived(derived)}  root id`} ${primary}${more}`;
      return `${styleText('green', '✓')} ${name.padEnd(width)}  ${format}  ${algorithm}  ${allow.join(', ')}  ${key}`;
    }),
    ...problems.map((problem) => `${styleText('red', '✗')} ${problem}`),
    ...notes.map((note) => `${styleText('yellow', '!')} ${note}`),
    valid
      ? `${keys.length} ${keys.length === 1 ? 'key set' : 'key sets'}, ready to serve`
      : 'serve would not load these keys',
  ];
  return `${lines.join('\n')}\n`;
}

function describeDerived({ tenants, allowExport }: Derived): string {
  const whose = tenants === null ? 'any tenant' : `${tenants} ${tenants === 1 ? 'tenant' : 'tenants'}`;
  return `derived for ${whose}${allowExport ? ', export allowed' : ''}`;
}
