/** What has to be taken out of a pod template so that nothing of the signer is left in it. */

import type { Edit } from './edits.ts';
import { fieldsOf, listOf, type Path, valueAt } from './fields.ts';
import { type Marker, markerName, signerName, socketVariable } from './marker.ts';
import { podOf } from './workload.ts';

/** @returns changes whose paths begin at the template */
export function removalEdits(template: unknown, marker: Marker): readonly Edit[] {
  const pod = podOf(template);
  const edits: Edit[] = [];
  const dropped = new Map<string, { readonly path: Path; readonly keys: string[] }>();
  const dropField = (path: Path, key: string) => {
    const at = dropped.get(path.join('\0')) ?? { path, keys: [] };
    at.keys.push(key);
    dropped.set(path.join('\0'), at);
  };
  /** Removes all that is in a field: back to what it was before, or away. */
  const emptyField = (path: Path, name: string) => {
    const text = marker.empty?.[name];
    if (text !== undefined) edits.push({ kind: 'restore', path, text });
    else dropField(path.slice(0, -1), String(path.at(-1)));
  };
  const dropItems = (
    path: Path,
    name: string,
    isOurs: (item: Readonly<Record<string, unknown>>) => boolean,
  ) => {
    const list = listOf(valueAt(template, path));
    const indexes = [...list.keys()].filter((index) => isOurs(list[index] ?? {}));
    if (indexes.length === 0) return;
    if (indexes.length === list.length) emptyField(path, name);
    else edits.push({ kind: 'drop-items', path, indexes });
  };

  const spec = ['spec'];
  const isOurVolume = ({ name }: { readonly name?: unknown }) => marker.volumes.includes(String(name));
  for (const list of ['initContainers', 'containers'] as const) {
    dropItems([...spec, list], list, ({ name }) => name === signerName);
    for (const { name, path } of pod[list]) {
      if (name === signerName) continue;
      dropItems([...spec, ...path, 'volumeMounts'], `volumeMounts/${name}`, isOurVolume);
      if (marker.env.includes(name)) {
        dropItems([...spec, ...path, 'env'], `env/${name}`, (each) => each['name'] === socketVariable);
      }
    }
  }
  dropItems([...spec, 'volumes'], 'volumes', isOurVolume);
  for (const key of marker.pod) {
    if (pod.spec[key] === false) emptyField([...spec, key], key);
  }
  const annotations = fieldsOf(pod.metadata['annotations']);
  if (Object.keys(annotations).length > 1) dropField(['metadata', 'annotations'], markerName);
  else if (Object.keys(pod.metadata).length > 1 || marker.empty?.['annotations'] !== undefined) {
    emptyField(['metadata', 'annotations'], 'annotations');
  } else emptyField(['metadata'], 'metadata');
  return [
    ...edits,
    ...[...dropped.values()].map(({ path, keys }) => ({ kind: 'drop-entries', path, keys }) as const),
  ];
}
