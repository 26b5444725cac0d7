/** Whether a token in the application could read the Secret, by the roles in the same stream. */

import { describe, expect, it } from 'vitest';
import { deployment, reportOf } from './manifests.ts';

const rbac = 'rbac.authorization.k8s.io/v1';
const read = { apiGroups: [''], resources: ['secrets'], verbs: ['get'] };
const account = { kind: 'ServiceAccount', name: 'shop' };

const role = (rules: readonly object[], fields: object = {}) => ({
  apiVersion: rbac,
  kind: 'Role',
  metadata: { name: 'reader' },
  rules,
  ...fields,
});
const binding = (fields: object = {}) => ({
  apiVersion: rbac,
  kind: 'RoleBinding',
  metadata: { name: 'binding' },
  subjects: [account],
  roleRef: { kind: 'Role', name: 'reader' },
  ...fields,
});
const application = (spec: object = {}, metadata: object = {}) =>
  deployment({ serviceAccountName: 'shop', ...spec }, metadata);
const cluster = { kind: 'ClusterRole', metadata: { name: 'reader' } };
const clusterBinding = { kind: 'ClusterRoleBinding', roleRef: { kind: 'ClusterRole', name: 'reader' } };

const reason = /service account shop may read the Secret signer-keys \((?:Cluster)?Role\/[a-z-]+\)/;

describe('a service account that may read the Secret is refused:', () => {
  it.each<[string, readonly object[]]>([
    ['by a Role', [role([read]), binding(), application()]],
    [
      'by a Role, with the token asked for',
      [role([read]), binding(), application({ automountServiceAccountToken: true })],
    ],
    ['in another order', [application(), binding(), role([read])]],
    ['in a List', [{ apiVersion: 'v1', kind: 'List', items: [role([read]), binding(), application()] }]],
    ['by list', [role([{ ...read, verbs: ['list'] }]), binding(), application()]],
    ['by watch', [role([{ ...read, verbs: ['create', 'watch'] }]), binding(), application()]],
    ['by every verb', [role([{ ...read, verbs: ['*'] }]), binding(), application()]],
    ['by every resource', [role([{ ...read, resources: ['*'] }]), binding(), application()]],
    ['by every group', [role([{ ...read, apiGroups: ['*'] }]), binding(), application()]],
    ['by its name', [role([{ ...read, resourceNames: ['other', 'signer-keys'] }]), binding(), application()]],
    ['by a later rule', [role([{ ...read, resources: ['pods'] }, read]), binding(), application()]],
    ['by a ClusterRole', [role([read], cluster), binding(clusterBinding), application()]],
    [
      'by a ClusterRole in one namespace',
      [role([read], cluster), binding({ roleRef: clusterBinding.roleRef }), application()],
    ],
    [
      'by a role of every cluster',
      [binding({ roleRef: { kind: 'ClusterRole', name: 'edit' } }), application()],
    ],
    [
      'by a role that others are aggregated into',
      [
        role([], { ...cluster, aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] } }),
        role([read], { kind: 'ClusterRole', metadata: { name: 'part', labels: { a: 'b' } } }),
        binding(clusterBinding),
        application(),
      ],
    ],
    ...[{}, { matchExpressions: [{ key: 'a', operator: 'Exists' }] }].map(
      (selector): [string, readonly object[]] => [
        `by a role that others are aggregated into, without labels (${Object.keys(selector).join()})`,
        [
          role([], { ...cluster, aggregationRule: { clusterRoleSelectors: [selector] } }),
          role([read], { kind: 'ClusterRole', metadata: { name: 'part', labels: { a: 'b' } } }),
          binding(clusterBinding),
          application(),
        ],
      ],
    ),
    [
      'by what the stream aggregates into a role of every cluster',
      [
        role([read], {
          kind: 'ClusterRole',
          metadata: { name: 'part', labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } },
        }),
        binding({ roleRef: { kind: 'ClusterRole', name: 'view' } }),
        application(),
      ],
    ],
    [
      'by a RoleList whose items have no kind',
      [
        { apiVersion: rbac, kind: 'RoleList', items: [{ metadata: { name: 'reader' }, rules: [read] }] },
        binding(),
        application(),
      ],
    ],
    ['by the old field of its name', [role([read]), binding(), deployment({ serviceAccount: 'shop' })]],
    [
      'by the name of its user',
      [
        role([read]),
        binding({ subjects: [{ kind: 'User', name: 'system:serviceaccount:prod:shop' }] }),
        application({}, { namespace: 'prod' }),
      ],
    ],
    [
      'by all service accounts',
      [
        role([read]),
        binding({ subjects: [{ kind: 'Group', name: 'system:serviceaccounts' }] }),
        application(),
      ],
    ],
    [
      'by those of its namespace',
      [
        role([read]),
        binding({ subjects: [{ kind: 'Group', name: 'system:serviceaccounts:prod' }] }),
        application({}, { namespace: 'prod' }),
      ],
    ],
    [
      'by a token of its own, although the usual one is off',
      [
        role([read]),
        binding(),
        application({
          automountServiceAccountToken: false,
          volumes: [{ name: 't', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }],
        }),
      ],
    ],
  ])('%s', (_, objects) => {
    const report = reportOf(objects);
    expect(report).toMatchObject({ action: 'refused', isForceable: true });
    expect(report.reasons).toEqual([expect.stringMatching(reason)]);
  });

  it('the default account, too', () => {
    const report = reportOf([
      role([read]),
      binding({ subjects: [{ kind: 'ServiceAccount', name: 'default' }] }),
      deployment(),
    ]);
    expect(report.reasons.join()).toMatch(/service account default may read/);
  });
});

describe('it is not refused', () => {
  it.each<[string, readonly object[]]>([
    ['without a token', [role([read]), binding(), application({ automountServiceAccountToken: false })]],
    [
      'if another account may',
      [role([read]), binding({ subjects: [{ ...account, name: 'other' }] }), application()],
    ],
    [
      'if the account is of another namespace',
      [
        role([read]),
        binding({ subjects: [{ ...account, namespace: 'a' }] }),
        application({}, { namespace: 'b' }),
      ],
    ],
    [
      'if the binding is of another namespace',
      [
        role([read]),
        binding({ metadata: { name: 'binding', namespace: 'a' } }),
        application({}, { namespace: 'b' }),
      ],
    ],
    ['for other Secrets', [role([{ ...read, resourceNames: ['tls'] }]), binding(), application()]],
    ['for writing', [role([{ ...read, verbs: ['create', 'update'] }]), binding(), application()]],
    ['for other resources', [role([{ ...read, resources: ['configmaps'] }]), binding(), application()]],
    ['for another group', [role([{ ...read, apiGroups: ['example.com'] }]), binding(), application()]],
    ['for a role that nothing binds', [role([read]), application()]],
    [
      'for a role of a cluster that reads no Secret',
      [binding({ roleRef: { kind: 'ClusterRole', name: 'view' } }), application()],
    ],
  ])('%s', (_, objects) => {
    expect(reportOf(objects)).toMatchObject({ action: 'added' });
  });

  it('but it is noted that the application loses a token that it may need', () => {
    const configMaps = role([{ ...read, resources: ['configmaps'] }]);
    expect(reportOf([configMaps, binding(), application()]).notes).toEqual([
      'automountServiceAccountToken is now false, but RoleBinding/binding gives rights to its service account shop; if the application calls the Kubernetes API, set it to true',
    ]);
    expect(reportOf(application()).notes).toEqual([]);
  });

  it('but it is noted that the application has a token', () => {
    expect(reportOf(application({ automountServiceAccountToken: true })).notes).toEqual([
      'it has a token of the service account shop; make sure that this one may not read the Secret',
    ]);
  });
});
