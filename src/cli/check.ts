/** `sidecar-signer check`: reads the keys as `serve` would, and reports every problem. */

import { styleText } from 'node:util';
import { escapeControls } from '../bytes/text.ts';
import { openNotes } from '../config/callers.ts';
import { everyFile } from '../config/defaults.ts';
import { shownId } from '../key-sets/key-id.ts';
import { sealFiles } from '../key-sets/secret.ts';
import type { KnownCallers } from '../key-sets/settings.ts';
import type { KeySet } from '../key-sets/snapshot.ts';
import { createKeyStore } from '../key-sets/store.ts';
import { takeVariable } from './environment.ts';
import { readInput } from './input.ts';
import { callersOf, type ListenerFlags } from './listeners.ts';
import { type KeyOptions, type OnceRead, readConfiguration, readKeysOnce } from './open-keys.ts';
import { printResult } from './output.ts';
import { permissionNotes } from './permissions.ts';
import { filesOf, parseSecretManifest } from './secret-manifest.ts';

export interface CheckOptions extends KeyOptions, Pick<ListenerFlags, 'listen' | 'socket'> {
  /** A Secret manifest to check in place of the key directories; `-` for standard input. */
  readonly secret?: string;
  readonly json?: true;
}

/** What `--json` prints. */
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
  /** What each caller may do; absent if all are alike. */
  readonly callers?: Readonly<Record<string, readonly string[]>>;
  /** The primary first. With derived keys, these are the ids of the roots. */
  readonly keyIds: readonly string[];
  readonly derived?: Derived;
}

interface Derived {
  /** How many tenants the key set serves; null for all. */
  readonly tenants: number | null;
  /** Whether the secrets of tenants may be printed. */
  readonly allowExport: boolean;
}

export async function check(options: CheckOptions): Promise<void> {
  // Without a socket, it is not known which sockets the signer will have.
  const callers = { names: callersOf(options), mayBeMore: options.socket === undefined };
  const read = await (options.secret === undefined
    ? readMounted(options, callers)
    : readManifest(options.secret, options.config, callers));
  const isConfigured = options.config !== undefined;
  const open = isConfigured ? [] : [...(read.store?.current?.keySets.keys() ?? [])];
  const report = reportOf({ ...read, warnings: [...read.warnings, ...openNotes(open, callers)] });
  printResult(options, report, formatReport(report));
  process.exitCode = report.valid ? 0 : 1;
}

async function readMounted(options: KeyOptions, callers: KnownCallers): Promise<OnceRead> {
  const { warnings, ...read } = await readKeysOnce(options, { callers });
  const used = read.store?.configuration.inUse?.files;
  const notes = options.keys.flatMap((directory) => permissionNotes(directory, used));
  return { ...read, warnings: [...warnings, ...notes] };
}

/** Puts the content of a manifest in the place of a mounted directory. */
async function readManifest(
  secret: string,
  config: string | undefined,
  callers: KnownCallers,
): Promise<OnceRead> {
  const parsed =
    config === undefined ? undefined : await readConfiguration(readInput(config).toString(), callers);
  if (parsed?.ok === false) {
    return { problems: parsed.problems.map((problem) => `${config}: ${problem}`), warnings: [] };
  }
  const { configuration, ...found } = parsed?.value ?? { configuration: everyFile, warnings: [], notes: [] };
  const warnings = [...found.warnings, ...found.notes];
  const manifest = parseSecretManifest(readInput(secret).toString());
  const files = manifest.ok ? filesOf(manifest.value) : manifest;
  if (!files.ok) return { problems: files.problems, warnings };
  const store = createKeyStore({ directories: [secret], configuration, variable: takeVariable });
  const sources = [...store.directories.values()];
  for (const source of sources) await store.offer(source, await sealFiles(files.value));
  return { store, problems: sources.flatMap(({ problems }) => problems), warnings };
}

function reportOf({ store, problems, warnings }: OnceRead): Report {
  const valid = store?.current !== undefined;
  const keySets = [...(store?.current?.keySets.values() ?? [])];
  store?.drop();
  const found = [...new Set(problems)];
  const ofKeys = keySets.flatMap(({ name, warnings, notes }) =>
    [...warnings, ...notes].map((each) => `"${name}" ${each}`),
  );
  return {
    valid,
    keys: keySets.map(checkedKeySet),
    problems: valid ? [] : found,
    // If all keys come from variables, the keys are valid although a directory has a problem.
    notes: [...ofKeys, ...(valid ? found : []), ...warnings],
  };
}

function checkedKeySet({ name, settings, keys, tenantKeys }: KeySet): CheckedKeySet {
  const { format, policy } = settings;
  const { tenants, allowExport = false } = policy;
  return {
    name,
    format: format.name,
    algorithm: keys[0].mac.algorithm,
    allow: policy.allow,
    ...(policy.callers && { callers: Object.fromEntries(policy.callers) }),
    keyIds: keys.map(({ id }) => shownId(id)),
    ...(tenantKeys && { derived: { tenants: tenants?.size ?? null, allowExport } }),
  };
}

function formatReport({ valid, keys, problems, notes }: Report): string {
  const width = Math.max(...keys.map(({ name }) => name.length));
  const lines = [
    ...keys.map((keySet) => `${styleText('green', '✓')} ${escapeControls(formatKeySet(keySet, width))}`),
    ...problems.map((problem) => `${styleText('red', '✗')} ${escapeControls(problem)}`),
    ...notes.map((note) => `${styleText('yellow', '!')} ${escapeControls(note)}`),
    valid ? `${counted(keys.length, 'key set')}, ready to serve` : 'serve would not load these keys',
  ];
  return lines.join('\n');
}

function formatKeySet(keySet: CheckedKeySet, width: number): string {
  const { name, format, algorithm, derived, keyIds } = keySet;
  const [primary, ...others] = keyIds;
  const more = others.length === 0 ? '' : `, and ${others.length} more`;
  const key = derived === undefined ? 'key id' : `${formatDerived(derived)}  root id`;
  return `${name.padEnd(width)}  ${format}  ${algorithm}  ${formatAllowed(keySet)}  ${key} ${primary}${more}`;
}

function formatAllowed({ allow, callers }: CheckedKeySet): string {
  if (callers === undefined) return allow.join(', ');
  const each = Object.entries(callers).map(([caller, allowed]) => `${caller}: ${allowed.join(', ')}`);
  return each.join('; ');
}

function formatDerived({ tenants, allowExport }: Derived): string {
  const whose = tenants === null ? 'any tenant' : counted(tenants, 'tenant');
  return `derived for ${whose}${allowExport ? ', export allowed' : ''}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
