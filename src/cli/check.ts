/** `sidecar-signer check`: what `serve` would load, and every problem, without serving. */

import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { styleText } from 'node:util';
import type { KeySet } from '../keys/snapshot.ts';
import { type Volume, VolumeError } from '../secret-volume/index.ts';
import { openKeys } from './keys.ts';

interface Report {
  readonly valid: boolean;
  readonly keys: readonly { name: string; format: string; algorithm: string; keyId: string }[];
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

export async function check({ keys, json }: { keys: readonly string[]; json?: true }): Promise<void> {
  const report = await inspect(keys);
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : describe(report));
  process.exitCode = report.valid ? 0 : 1;
}

async function inspect(directories: readonly string[]): Promise<Report> {
  const { store, volumes } = openKeys(directories, { watch: false });
  const problems = (await Promise.all(volumes.map(firstOutcome))).flat();
  await Promise.all(volumes.map((volume) => volume.close()));
  const keys = [...(store.current?.keySets.values() ?? [])].map(describeKeySet);
  store.drop();
  return { valid: problems.length === 0, keys, problems, notes: directories.flatMap(permissionNotes) };
}

/** The problems of a volume's first reading. */
async function firstOutcome(volume: Volume<void>): Promise<readonly string[]> {
  const problem = new Promise<VolumeError>((resolve) => {
    volume.onProblem(resolve);
  });
  const outcome = await Promise.race([volume.ready(), problem]);
  return outcome instanceof VolumeError
    ? outcome.problems.map(({ message }) => `${volume.directory}: ${message}`)
    : [];
}

function describeKeySet({ name, settings: { format, algorithm }, primary }: KeySet): Report['keys'][number] {
  return { name, format, algorithm, keyId: primary.id };
}

/** Modes never refuse a key (0644 is Kubernetes' default), but a person may want to know. */
function permissionNotes(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => !entry.name.startsWith('..') && !entry.isDirectory())
      .flatMap(({ name }) => {
        const { mode } = statSync(join(directory, name));
        const others = [mode & 0o004 ? 'read' : '', mode & 0o002 ? 'write' : '']
          .filter(Boolean)
          .join(' and ');
        return others === ''
          ? []
          : [`${resolve(directory, name)}: every user of this machine can ${others} it`];
      });
  } catch {
    return [];
  }
}

function describe({ valid, keys, problems, notes }: Report): string {
  const lines = [
    ...keys.map(
      ({ name, format, algorithm, keyId }) =>
        `${styleText('green', '✓')} ${name}  ${format} ${algorithm}  key id ${keyId}`,
    ),
    ...problems.map((problem) => `${styleText('red', '✗')} ${problem}`),
    ...notes.map((note) => `${styleText('yellow', '!')} ${note}`),
    valid
      ? `${keys.length} ${keys.length === 1 ? 'key' : 'keys'}, ready to serve`
      : 'serve would not load these keys',
  ];
  return `${lines.join('\n')}\n`;
}
