/**
 * `inject` as a function of text: adds the signer to the workloads in a stream of manifests, or takes it out again. All
 * else in the stream stays as it is, byte for byte.
 */

import { rolesOf } from './access.ts';
import {
  attempt,
  changeDocument,
  type QuickReader,
  type ReadDocument,
  type WorkloadReport,
} from './change-document.ts';
import { type DocumentText, lineOf, splitDocuments } from './documents.ts';
import { listOf, textOf, valueAt } from './fields.ts';
import { label, markerName } from './marker.ts';
import { defaults, type InjectOptions } from './options.ts';
import { parseManifest } from './parse.ts';
import { reasonToSkip, type Surroundings } from './plan.ts';
import { type KubernetesObject, objectsOf, workloadOf } from './workload.ts';

export type { WorkloadReport } from './change-document.ts';

export interface InjectResult {
  /** The manifests. Empty if something was refused, so that nothing half-done is applied. */
  readonly text: string;
  readonly exitCode: 0 | 1;
  /** What happened to each workload. */
  readonly summary: readonly WorkloadReport[];
  /** What is wrong with the stream itself. */
  readonly problems: readonly string[];
}

/**
 * @param given options that differ from the defaults
 * @param quickRead a faster reader than the usual one, which gives no positions: for documents that do not change, and for
 * the check of those that do
 */
export function inject(
  stream: string,
  given: Partial<InjectOptions> = {},
  quickRead?: QuickReader,
): InjectResult {
  const options = { ...defaults, ...given };
  const problems: string[] = [];
  const documents = splitDocuments(stream).map((document) => {
    const read = readDocument(document, options, quickRead);
    problems.push(...read.problems);
    return read;
  });
  if (problems.length > 0) return { text: '', exitCode: 1, summary: [], problems };
  const around = surroundingsOf(
    documents.flatMap(({ objects }) => objects),
    options,
  );
  const changed = documents.map((document) => changeDocument(document, options, around, quickRead));
  const summary = changed.flatMap(({ reports }) => reports);
  const isRefused = summary.some(({ action }) => action === 'refused');
  const text = isRefused ? '' : changed.map((each) => each.text).join('');
  return { text, exitCode: isRefused ? 1 : 0, summary, problems };
}

interface Read extends ReadDocument {
  readonly problems: readonly string[];
}

function readDocument(
  document: DocumentText,
  options: InjectOptions,
  quickRead: QuickReader | undefined,
): Read {
  const read = seemsToChange(document, options) ? undefined : readUnchanged(document, options, quickRead);
  return read ?? readWithPositions(document, options);
}

const workloadKind = /\bkind"?\s*:\s*["']?(?:Pod|Deployment|ReplicaSet|DaemonSet|StatefulSet|Job|CronJob)\b/;

/** A guess that only saves time: to read it in both ways takes longer. */
function seemsToChange({ text }: DocumentText, { all, remove }: InjectOptions): boolean {
  if (remove) return text.includes(markerName);
  return all ? workloadKind.test(text) : text.includes(label);
}

/** A document in which nothing can change, if that is quickly seen. */
function readUnchanged(
  document: DocumentText,
  options: InjectOptions,
  quickRead: QuickReader | undefined,
): Read | undefined {
  const value = attempt(document.text, quickRead);
  const objects = objectsOf(value);
  const workloads = objects.flatMap((object) => workloadOf(object) ?? []);
  // Without a value, it may be empty or not valid.
  if (value === undefined || value === null) return undefined;
  const isChanged = workloads.some((each) => reasonToSkip(each, value, options) === undefined);
  if (isChanged) return undefined;
  const manifest = { value, document: undefined };
  return {
    ...document,
    objects: objects.filter(isOfInterest),
    workloads,
    manifest,
    problems: [],
  };
}

function readWithPositions(document: DocumentText, options: InjectOptions): Read {
  const { parsed, problems } = parseManifest(document.text);
  const objects = objectsOf(parsed?.value);
  const workloads = objects.flatMap((object) => workloadOf(object) ?? []);
  const isChanged = workloads.some((each) => reasonToSkip(each, parsed?.value, options) === undefined);
  // Which of two equal keys counts depends on the reader, so a change of their document could not be checked.
  const fatal = problems.find(({ isAmbiguous }) => isChanged || !isAmbiguous);
  return {
    ...document,
    objects: objects.filter(isOfInterest),
    workloads,
    ...(workloads.length > 0 && parsed !== undefined && { manifest: parsed }),
    problems: fatal === undefined ? [] : [`line ${lineOf(document, fatal.offset)}: ${fatal.message}`],
  };
}

/** Kept from one document for the others. */
function isOfInterest({ value }: KubernetesObject): boolean {
  return /^(?:(?:Cluster)?Role(?:Binding)?|SecretProviderClass)$/.test(String(value['kind']));
}

function surroundingsOf(
  objects: readonly KubernetesObject[],
  { secret, secretProviderClass }: InjectOptions,
): Surroundings {
  const synced = objects
    .filter(({ value }) => value['kind'] === 'SecretProviderClass')
    .flatMap(({ value }) => {
      const name = textOf(valueAt(value, ['metadata', 'name']));
      const copies = listOf(valueAt(value, ['spec', 'secretObjects']));
      return copies.map((each) => ({ name, copy: textOf(each['secretName']) }));
    });
  const classes = synced.flatMap(({ name, copy }) => (copy === secret ? (name ?? []) : []));
  const copies = synced.flatMap(({ name, copy }) => (name === secretProviderClass ? (copy ?? []) : []));
  return { roles: rolesOf(objects), secretNames: { classes, copies } };
}
