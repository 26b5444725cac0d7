/** Whether the service account of a pod may read the Secret, as far as the roles in the same stream tell. */

import { type Fields, fieldsOf, listOf, textOf, textsOf, valueAt } from './fields.ts';
import type { KubernetesObject, Pod, Workload } from './workload.ts';

/** The roles and bindings of a stream. */
export interface Roles {
  readonly roles: readonly Fields[];
  readonly bindings: readonly Fields[];
}

/** The roles of every cluster that may read Secrets. */
const builtIn = new Set(['cluster-admin', 'admin', 'edit']);

export function rolesOf(objects: readonly KubernetesObject[]): Roles {
  const ofKind = (kinds: RegExp) =>
    objects
      .map(({ value }) => value)
      .filter(
        ({ kind, apiVersion }) =>
          kinds.test(String(kind)) && String(apiVersion).startsWith('rbac.authorization.k8s.io/'),
      );
  return { roles: ofKind(/^(?:Cluster)?Role$/), bindings: ofKind(/^(?:Cluster)?RoleBinding$/) };
}

/** What the bindings of the stream give to the service account of a pod. */
export interface Access {
  readonly account: string;
  /** The bindings that name it. */
  readonly bindings: readonly string[];
  /** The roles by which it may read the Secret. */
  readonly readers: readonly string[];
}

export function accessOf(workload: Workload, pod: Pod, secret: string, { roles, bindings }: Roles): Access {
  const { namespace } = workload;
  const { serviceAccountName, serviceAccount } = pod.spec;
  const account = textOf(serviceAccountName) || textOf(serviceAccount) || 'default';
  const own = bindings.filter((binding) =>
    listOf(binding['subjects']).some((subject) => isSubject(subject, account, namespace)),
  );
  const readers = own.flatMap((binding) => {
    const bindingNamespace = textOf(valueAt(binding, ['metadata', 'namespace']));
    const isInNamespace = binding['kind'] === 'ClusterRoleBinding' || isSame(bindingNamespace, namespace);
    const { kind, name } = fieldsOf(binding['roleRef']);
    if (!isInNamespace) return [];
    const isReader =
      (kind === 'ClusterRole' && builtIn.has(String(name))) ||
      (kind === 'ClusterRole' &&
        extensionsOf(String(name), roles).some((rule) => readsSecret(rule, secret))) ||
      roles
        .filter((role) => role['kind'] === kind && valueAt(role, ['metadata', 'name']) === name)
        .filter(
          (role) =>
            kind === 'ClusterRole' ||
            isSame(textOf(valueAt(role, ['metadata', 'namespace'])), bindingNamespace),
        )
        .some((role) => rulesOf(role, roles).some((rule) => readsSecret(rule, secret)));
    return isReader ? [`${kind}/${name}`] : [];
  });
  const titles = own.map((binding) => `${binding['kind']}/${valueAt(binding, ['metadata', 'name'])}`);
  return { account, bindings: titles, readers: [...new Set(readers)] };
}

function isSubject(subject: Fields, account: string, namespace: string | undefined): boolean {
  const { kind, name } = subject;
  switch (kind) {
    case 'ServiceAccount':
      return name === account && isSame(textOf(subject['namespace']), namespace);
    case 'User':
      return (
        textOf(name)?.startsWith('system:serviceaccount:') === true &&
        name === `system:serviceaccount:${namespace ?? String(name).split(':')[2]}:${account}`
      );
    case 'Group':
      return (
        name === 'system:serviceaccounts' ||
        name === 'system:authenticated' ||
        (textOf(name)?.startsWith('system:serviceaccounts:') === true &&
          isSame(String(name).split(':')[2], namespace))
      );
    default:
      return false;
  }
}

/** A manifest without a namespace is applied to one that is not known here. */
function isSame(one: string | undefined, other: string | undefined): boolean {
  return one === undefined || other === undefined || one === other;
}

/** The rules that the stream adds to a role of every cluster, which has no need to be in the stream itself. */
function extensionsOf(name: string, roles: readonly Fields[]): readonly Fields[] {
  const label = `rbac.authorization.k8s.io/aggregate-to-${name}`;
  return roles
    .filter((role) => fieldsOf(valueAt(role, ['metadata', 'labels']))[label] === 'true')
    .flatMap((role) => listOf(role['rules']));
}

/** The rules of a role, and of those that are aggregated into it. Every expression of a selector counts as true. */
function rulesOf(role: Fields, roles: readonly Fields[]): readonly Fields[] {
  const selectors = listOf(valueAt(role, ['aggregationRule', 'clusterRoleSelectors']));
  const aggregated = roles.filter(
    (each) =>
      each['kind'] === 'ClusterRole' &&
      each !== role &&
      selectors.some(({ matchLabels }) => {
        const labels = fieldsOf(valueAt(each, ['metadata', 'labels']));
        // A selector without labels selects every role.
        return Object.entries(fieldsOf(matchLabels)).every(([key, value]) => labels[key] === value);
      }),
  );
  return [role, ...aggregated].flatMap((each) => listOf(each['rules']));
}

function readsSecret(rule: Fields, secret: string): boolean {
  const has = (field: string, values: readonly string[]) =>
    textsOf(rule[field]).some((each) => values.includes(each));
  const names = textsOf(rule['resourceNames']);
  return (
    has('apiGroups', ['', '*']) &&
    has('resources', ['secrets', '*']) &&
    has('verbs', ['get', 'list', 'watch', '*']) &&
    (names.length === 0 || names.includes(secret))
  );
}
