/** Whether a workload has exactly what an earlier run added. */

import { mountOf, type Wanted } from './additions.ts';
import { type Fields, fieldsOf, isFields, listOf, valueAt } from './fields.ts';
import type { Marker } from './marker.ts';
import { type Container, podOf } from './workload.ts';

/**
 * Whether a template has all of it already, as an earlier run with the same options added it, and nothing more: neither
 * another mount of our volumes nor another field in what was added.
 */
export function isInForce(template: unknown, wanted: Wanted, found: Marker, isClassic: boolean): boolean {
  const { empty: _, ...marker } = found;
  if (JSON.stringify(marker) !== JSON.stringify(wanted.marker)) return false;
  const pod = podOf(template);
  const isSigner = ({ name }: Container) => name === wanted.signer['name'];
  const signer = isClassic ? pod.containers.find(isSigner) : pod.initContainers[0];
  const hasItem = (list: unknown, item: Fields) =>
    listOf(list).some((each) => each['name'] === item['name'] && isAsAdded(each, item));
  const ourVolumes = new Set<unknown>(wanted.volumes.map(({ name }) => name));
  const hasMounts = ({ name, fields }: Container) => {
    const mounts = listOf(fields['volumeMounts']).filter((each) => ourVolumes.has(each['name']));
    return isAsAdded(
      mounts,
      wanted.users
        .filter(({ container }) => container.name === name)
        .map(({ volume }) => mountOf(volume, wanted)),
    );
  };
  return (
    isAsAdded(signer?.fields, wanted.signer) &&
    wanted.volumes.every((volume) => hasItem(pod.volumes, volume)) &&
    wanted.switches.every((name) => pod.spec[name] === false) &&
    [...pod.containers, ...pod.initContainers].every(
      (each) =>
        isSigner(each) ||
        (hasMounts(each) &&
          (!wanted.env.includes(each.name) || hasItem(each.fields['env'], wanted.variable))),
    )
  );
}

/** Fields that the API server adds with a default, in a container or a volume that does not have them. */
const serverDefaults = new Set([
  'apiVersion',
  'defaultMode',
  'failureThreshold',
  'imagePullPolicy',
  'periodSeconds',
  'protocol',
  'scheme',
  'successThreshold',
  'terminationMessagePath',
  'terminationMessagePolicy',
  'timeoutSeconds',
]);

/** Whether a value is the one that is wanted, apart from defaults of the API server and fields that are null. */
function isAsAdded(present: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(present) &&
      present.length === wanted.length &&
      wanted.every((each, index) => isAsAdded(present[index], each))
    );
  }
  if (!isFields(wanted)) return present === wanted;
  return (
    Object.entries(wanted).every(([key, value]) => isAsAdded(valueAt(present, [key]), value)) &&
    Object.entries(fieldsOf(present)).every(
      ([key, value]) => Object.hasOwn(wanted, key) || serverDefaults.has(key) || value === null,
    )
  );
}
