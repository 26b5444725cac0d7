/** Decides what happens to a workload: what is added or removed, or why nothing is. */

import { type Access, accessOf, type Roles } from './access.ts';
import { type Wanted, wantedFor } from './additions.ts';
import { conflicts } from './conflicts.ts';
import { applyEdits, type Edit } from './edits.ts';
import { fieldsOf, listOf, textOf, valueAt } from './fields.ts';
import { isInForce } from './in-force.ts';
import { label, readMarker } from './marker.ts';
import { notesOf } from './notes.ts';
import type { InjectOptions } from './options.ts';
import { chooseUid, chooseUsers, settingsOf } from './pod-settings.ts';
import { removalEdits } from './removal.ts';
import { podRisks, type SecretNames } from './risks.ts';
import { hasProjectedToken } from './token.ts';
import { type Pod, podOf, shapeProblems, type Workload } from './workload.ts';

export type Action = 'added' | 'updated' | 'removed' | 'unchanged' | 'skipped' | 'refused';

export interface Plan {
  readonly action: Action;
  /** Why it is skipped or refused. */
  readonly reasons: readonly string[];
  /** What the user should know about a workload that is not skipped. */
  readonly notes: readonly string[];
  /** What takes out what an earlier run added: changes of the pod template. */
  readonly removal: readonly Edit[];
  /** What is added after that. */
  readonly wanted?: Wanted;
  /** Whether `--force` overrides the reasons to refuse. */
  readonly isForceable?: true;
}

/** What the other objects of the stream tell. */
export interface Surroundings {
  readonly roles: Roles;
  readonly secretNames: SecretNames;
}

/** @param root the document that has the workload */
export function planFor(
  root: unknown,
  workload: Workload,
  options: InjectOptions,
  around: Surroundings,
): Plan {
  const template = valueAt(root, workload.template);
  const marker = readMarker(fieldsOf(podOf(template).metadata['annotations']));
  const skipped = reasonToSkip(workload, root, options);
  if (skipped !== undefined) return { action: 'skipped', reasons: [skipped], notes: [], removal: [] };
  const problems = shapeProblems(template);
  if (problems.length > 0) return refusal(problems);
  if (marker === 'invalid') {
    return refusal([
      'the annotation sidecar-signer/injected cannot be read; restore what inject wrote there',
    ]);
  }
  const removal = marker === undefined ? [] : removalEdits(template, marker);
  if (options.remove) return { action: 'removed', reasons: [], notes: [], removal };
  const pod = podOf(applyEdits(template, removal));
  const plan = planAddition(workload, pod, options, around);
  if (plan.wanted === undefined || marker === undefined) return plan;
  return isInForce(template, plan.wanted, marker, options.classic)
    ? { action: 'unchanged', reasons: [], notes: plan.notes, removal: [] }
    : { ...plan, action: 'updated', removal };
}

/** @param pod without anything that an earlier run added */
function planAddition(
  workload: Workload,
  pod: Pod,
  options: InjectOptions,
  { roles, secretNames }: Surroundings,
): Plan {
  const { users, missing } = chooseUsers(pod, options);
  const containers = users.map(({ container }) => container);
  const uid = chooseUid(pod, options);
  const access = accessOf(workload, pod, options.secret, roles);
  const certain = [
    ...(users.length === 0 && !options.tcp ? [`it has none of the containers ${missing.join(', ')}`] : []),
    ...conflicts(workload, pod, containers, options),
  ];
  if (certain.length > 0) return refusal(certain);
  const risks = [
    ...(uid.problem === undefined ? [] : [uid.problem]),
    ...podRisks(pod, options, secretNames),
    ...accessRisks(pod, access, options),
    ...classicRisks(workload, pod, options),
  ];
  if (risks.length > 0 && !options.force) return { ...refusal(risks), isForceable: true };
  const wanted = wantedFor(pod, settingsOf(pod, uid.uid), users, options);
  const notes = [
    ...risks.map((risk) => `forced, although ${risk}`),
    ...notesOf({ workload, pod, containers, missing, access, uid: uid.uid, wanted, options }),
  ];
  return { action: 'added', reasons: [], notes, removal: [], wanted };
}

function refusal(reasons: readonly string[]): Plan {
  return { action: 'refused', reasons, notes: [], removal: [] };
}

/** Why nothing is done to a workload; undefined if something is. */
export function reasonToSkip(
  { value, template }: Workload,
  root: unknown,
  { all, remove }: InjectOptions,
): string | undefined {
  const metadata = podOf(valueAt(root, template)).metadata;
  const isInjected = readMarker(fieldsOf(metadata['annotations'])) !== undefined;
  const { ownerReferences, labels, annotations } = fieldsOf(value['metadata']);
  const [owner] = listOf(ownerReferences);
  if (owner !== undefined) {
    return `it belongs to ${textOf(owner['kind'])}/${textOf(owner['name'])}, which would undo a change; change that one`;
  }
  if (remove) return isInjected ? undefined : 'it has no signer that inject added';
  const values = [fieldsOf(labels)[label], fieldsOf(metadata['labels'])[label]];
  if (values.includes('false')) return `its label ${label} is "false"`;
  if (values.includes('true')) return undefined;
  if (values.includes(true)) return `its label ${label} is not text; write "true" in quotes`;
  if (all) {
    const isHook = fieldsOf(annotations)['helm.sh/hook'] !== undefined;
    // A hook may run before the release has its Secret, and would wait for it.
    return isHook ? `it is a hook of Helm; give it the label ${label}: "true" to inject it` : undefined;
  }
  const change = isInjected ? 'its signer is kept as it is: ' : '';
  return `${change}it has no label ${label}: "true"`;
}

function accessRisks(pod: Pod, { account, readers }: Access, options: InjectOptions): readonly string[] {
  if (readers.length === 0 || options.secretProviderClass !== undefined) return [];
  if (pod.spec['automountServiceAccountToken'] === false && !hasProjectedToken(pod)) return [];
  return [
    `its service account ${account} may read the Secret ${options.secret} (${readers.join(', ')}); set automountServiceAccountToken: false, or name other Secrets in resourceNames`,
  ];
}

/** An ordinary container has no end, and the pod waits for it. */
function classicRisks({ kind }: Workload, pod: Pod, { classic }: InjectOptions): readonly string[] {
  const policy = textOf(pod.spec['restartPolicy']) ?? 'Always';
  const mustEnd = kind === 'Job' || kind === 'CronJob' || policy !== 'Always';
  if (!classic || !mustEnd) return [];
  const what = kind === 'Pod' ? 'the pod' : 'the Job';
  return [
    `${what} would never end, because with --classic the signer goes on running; leave out --classic on Kubernetes 1.29 or later`,
  ];
}
