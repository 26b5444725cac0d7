/** Finds the objects of a manifest, and the pod template of each that has one. */

import { type Fields, fieldsOf, isFields, listOf, type Path, textOf, valueAt } from './fields.ts';

/** An object of a manifest: the document itself, or an item of a list. */
export interface KubernetesObject {
  readonly path: Path;
  readonly value: Fields;
}

/** An object that makes pods. */
export interface Workload extends KubernetesObject {
  readonly kind: string;
  /** Its kind and name, for messages. */
  readonly title: string;
  readonly namespace: string | undefined;
  /** Where the metadata and the spec of its pods are. */
  readonly template: Path;
}

const inTemplate: Path = ['spec', 'template'];
/** By kind, the groups that have it and where its pod template is. */
const kinds: ReadonlyMap<string, { readonly groups: RegExp; readonly template: Path }> = new Map([
  ['Pod', { groups: /^v1$/, template: [] }],
  ['Deployment', { groups: /^(?:apps|extensions)\//, template: inTemplate }],
  ['ReplicaSet', { groups: /^(?:apps|extensions)\//, template: inTemplate }],
  ['DaemonSet', { groups: /^(?:apps|extensions)\//, template: inTemplate }],
  ['StatefulSet', { groups: /^apps\//, template: inTemplate }],
  ['Job', { groups: /^batch\//, template: inTemplate }],
  ['CronJob', { groups: /^batch\//, template: ['spec', 'jobTemplate', 'spec', 'template'] }],
]);

/** The objects of a document. `kubectl get` writes several objects as the items of a List. */
export function objectsOf(value: unknown, path: Path = []): readonly KubernetesObject[] {
  if (!isFields(value)) return [];
  const { kind, items } = value;
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items)) return [{ path, value }];
  // The items of a typed list, such as a DeploymentList, need neither apiVersion nor kind.
  const type =
    kind === 'List' ? {} : { apiVersion: value['apiVersion'], kind: kind.slice(0, -'List'.length) };
  return items.flatMap((item, index) =>
    objectsOf(isFields(item) ? { ...type, ...item } : item, [...path, 'items', index]),
  );
}

export function workloadOf({ path, value }: KubernetesObject): Workload | undefined {
  const kind = textOf(value['kind']) ?? '';
  const known = kinds.get(kind);
  if (!known?.groups.test(textOf(value['apiVersion']) ?? '')) return undefined;
  const { namespace } = fieldsOf(value['metadata']);
  const template = [...path, ...known.template];
  return { path, value, kind, title: titleOf(value), namespace: textOf(namespace), template };
}

/** Kind and name. Generated names end with what the API server adds to them. */
export function titleOf(value: Fields): string {
  const { name, generateName } = fieldsOf(value['metadata']);
  const shown = textOf(name) ?? (textOf(generateName) === undefined ? undefined : `${generateName}*`);
  return `${textOf(value['kind']) ?? 'object'}/${shown ?? '(no name)'}`;
}

/** What the planner reads of a pod template. */
export interface Pod {
  readonly metadata: Fields;
  readonly spec: Fields;
  /** The containers of the application, without the signer that `inject` added. */
  readonly containers: readonly Container[];
  readonly initContainers: readonly Container[];
  readonly volumes: readonly Fields[];
}

/** A container, and where it is in the spec of its pod. */
export interface Container {
  readonly name: string;
  readonly fields: Fields;
  readonly path: Path;
}

/** @param template the value of the pod template */
export function podOf(template: unknown): Pod {
  const { metadata, spec } = fieldsOf(template);
  const pod = fieldsOf(spec);
  return {
    metadata: fieldsOf(metadata),
    spec: pod,
    containers: containersOf(pod, 'containers'),
    initContainers: containersOf(pod, 'initContainers'),
    volumes: listOf(pod['volumes']),
  };
}

function containersOf(spec: Fields, list: string): readonly Container[] {
  const containers = spec[list];
  if (!Array.isArray(containers)) return [];
  return containers.map((each: unknown, index) => {
    const fields = fieldsOf(each);
    return { name: textOf(fields['name']) ?? '', fields, path: [list, index] };
  });
}

/** The containers of the application, and those that somebody added to a running pod to debug it. */
export function everyContainer(pod: Pod): readonly Container[] {
  const ephemeral = listOf(pod.spec['ephemeralContainers']).map((fields, index) => ({
    name: textOf(fields['name']) ?? '',
    fields,
    path: ['ephemeralContainers', index],
  }));
  return [...pod.initContainers, ...pod.containers, ...ephemeral];
}

/** What is wrong with the shape of a pod, by the path of the field. */
export function shapeProblems(template: unknown): readonly string[] {
  const { metadata } = fieldsOf(template);
  const spec = valueAt(template, ['spec']);
  if (!isFields(spec)) return ['the pod has no spec'];
  const problems: string[] = [];
  if (!Array.isArray(spec['containers']) || spec['containers'].length === 0) {
    problems.push('the pod has no containers');
  }
  for (const list of ['containers', 'initContainers', 'volumes']) {
    problems.push(...listProblems(spec[list], list));
  }
  for (const list of ['containers', 'initContainers']) {
    for (const container of listOf(spec[list])) {
      const name = `${list}.${textOf(container['name']) ?? '(no name)'}`;
      if (textOf(container['name']) === undefined) problems.push(`${list}: a container has no name`);
      problems.push(...listProblems(container['env'], `${name}.env`));
      problems.push(...listProblems(container['volumeMounts'], `${name}.volumeMounts`));
    }
  }
  if (!isAbsent(metadata) && !isFields(metadata)) problems.push('metadata must be an object');
  const annotations = fieldsOf(metadata)['annotations'];
  if (!isAbsent(annotations) && !isFields(annotations))
    problems.push('metadata.annotations must be an object');
  return problems;
}

function listProblems(value: unknown, name: string): readonly string[] {
  if (isAbsent(value)) return [];
  if (!Array.isArray(value)) return [`${name} must be a list`];
  return value.every(isFields) ? [] : [`${name} must be a list of objects`];
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}
