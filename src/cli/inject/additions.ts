/** What has to be added to a pod template so that it has the signer. */

import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { Edit } from './edits.ts';
import { type Fields, isEmpty, listOf, type Path, valueAt } from './fields.ts';
import { type Marker, markerName, socketVariable, switches, writeMarker } from './marker.ts';
import type { InjectOptions } from './options.ts';
import { type PodSettings, signerContainer, signerVolumes } from './signer-container.ts';
import type { Container, Pod } from './workload.ts';

/** A container of the application, and the volume with its socket. */
export interface SocketUser {
  readonly container: Container;
  readonly volume: string;
}

/** Everything that the pod has to have. */
export interface Wanted {
  readonly signer: Fields;
  readonly volumes: readonly (Fields & { readonly name: string })[];
  readonly users: readonly SocketUser[];
  readonly mountPath: string;
  /** The containers that need the variable. */
  readonly variable: Fields;
  readonly env: readonly string[];
  /** The switches of the pod that were absent. */
  readonly switches: readonly string[];
  readonly marker: Marker;
}

/** @param pod without anything that an earlier run added */
export function wantedFor(
  pod: Pod,
  settings: PodSettings,
  users: readonly SocketUser[],
  options: InjectOptions,
): Wanted {
  const wanted = {
    signer: signerContainer(options, settings),
    volumes: signerVolumes(options),
    users,
    mountPath: posix.dirname(options.socket),
    variable: { name: socketVariable, value: options.socket },
    env: users
      .map(({ container }) => container)
      .filter((each) => !hasVariable(each))
      .map(({ name }) => name),
    switches: switches.filter((name) => (pod.spec[name] ?? null) === null),
  };
  const mounts = users.map(({ container, volume }) => [container.name, volume]);
  const digest = createHash('sha256')
    .update(JSON.stringify({ ...wanted, users: mounts }))
    .digest('hex');
  const marker = {
    version: options.version,
    digest: digest.slice(0, 16),
    volumes: wanted.volumes.map(({ name }) => name),
    env: wanted.env,
    pod: wanted.switches,
  };
  return { ...wanted, marker };
}

function hasVariable({ fields }: Container): boolean {
  return listOf(fields['env']).some(({ name }) => name === socketVariable);
}

/**
 * The changes that bring it into a template which has nothing of it.
 * @param emptyText gives the text of a field that is there and empty
 * @returns changes whose paths begin at the template
 */
export function additionEdits(
  template: unknown,
  wanted: Wanted,
  isClassic: boolean,
  emptyText: (path: Path) => string,
): readonly Edit[] {
  const edits: Edit[] = [];
  const added = new Map<string, { readonly path: Path; readonly entries: [string, unknown][] }>();
  const empty: Record<string, string> = {};
  const addField = (path: Path, value: unknown) => {
    const parent = path.slice(0, -1);
    const at = added.get(parent.join('\0')) ?? { path: parent, entries: [] };
    at.entries.push([String(path.at(-1)), value]);
    added.set(parent.join('\0'), at);
  };
  /** Adds to a field that may be absent or empty. @returns whether it has something already */
  const addTo = (path: Path, name: string, value: unknown): boolean => {
    const present = valueAt(template, path);
    if (present === undefined) addField(path, value);
    else if (isEmpty(present)) {
      empty[name] = emptyText(path);
      edits.push({ kind: 'fill', path, value });
    } else return true;
    return false;
  };
  const addItem = (path: Path, name: string, items: readonly unknown[], at: 'start' | 'end' = 'end') => {
    if (addTo(path, name, items)) edits.push({ kind: 'add-items', path, items, at });
  };

  const spec = ['spec'];
  for (const { container, volume } of wanted.users) {
    const path = [...spec, ...container.path];
    if (wanted.env.includes(container.name))
      addItem([...path, 'env'], `env/${container.name}`, [wanted.variable]);
    addItem([...path, 'volumeMounts'], `volumeMounts/${container.name}`, [mountOf(volume, wanted)]);
  }
  for (const name of wanted.switches) addTo([...spec, name], name, false);
  if (isClassic) addItem([...spec, 'containers'], 'containers', [wanted.signer]);
  else addItem([...spec, 'initContainers'], 'initContainers', [wanted.signer], 'start');
  addItem([...spec, 'volumes'], 'volumes', wanted.volumes);

  // Last, because the marker says which fields were empty.
  const annotations = ['metadata', 'annotations'];
  const metadata = valueAt(template, annotations.slice(0, -1));
  const isMetadataEmpty = metadata === undefined || isEmpty(metadata);
  const place = isMetadataEmpty ? annotations.slice(0, -1) : annotations;
  const found = valueAt(template, place);
  if (found !== undefined && isEmpty(found)) empty[String(place.at(-1))] = emptyText(place);
  const text = writeMarker({ ...wanted.marker, ...(Object.keys(empty).length > 0 && { empty }) });
  const entry = { [markerName]: text };
  if (addTo(place, String(place.at(-1)), isMetadataEmpty ? { annotations: entry } : entry)) {
    edits.push({ kind: 'add-entries', path: annotations, entries: [[markerName, text]] });
  }
  return [
    ...edits,
    ...[...added.values()].map(({ path, entries }) => ({ kind: 'add-entries', path, entries }) as const),
  ];
}

/** How an application mounts its socket: it must not replace it. */
export function mountOf(volume: string, { mountPath }: Wanted): Fields {
  return { name: volume, mountPath, readOnly: true };
}
