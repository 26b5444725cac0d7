/**
 * `inject` as a function of text: adds the signer to the workloads in a stream of manifests, or takes it out again. All
 * else in the stream stays as it is, byte for byte.
 */

import { rolesOf } from './access.ts';
import { changeDocument, type ReadDocument, type WorkloadReport } from './change-document.ts';
import { type DocumentText, lineOf, splitDocuments } from './documents.ts';
import { listOf, textOf, valueAt } from './fields.ts';
import { defaults, type InjectOptions } from './options.ts';
import { parseManifest } from './parse.ts';
import type { Surroundings } from './plan.ts';
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
  /** What is strange about other objects. */
  readonly warnings: readonly string[];
}

/** @param given options that differ from the defaults */
export function inject(stream: string, given: Partial<InjectOptions> = {}): InjectResult {
  const options = { ...defaults, ...given };
  const problems: string[] = [];
  const warnings: string[] = [];
  const documents = splitDocuments(stream).map((document) => readDocument(document, problems, warnings));
  if (problems.length > 0) return { text: '', exitCode: 1, summary: [], problems, warnings };
  const around = surroundingsOf(
    documents.flatMap(({ objects }) => objects),
    options,
  );
  const changed = documents.map((document) => changeDocument(document, options, around));
  const summary = changed.flatMap(({ reports }) => reports);
  const isRefused = summary.some(({ action }) => action === 'refused');
  const text = isRefused ? '' : changed.map((each) => each.text).join('');
  return { text, exitCode: isRefused ? 1 : 0, summary, problems, warnings };
}

function readDocument(document: DocumentText, problems: string[], warnings: string[]): ReadDocument {
  const { parsed, problems: found } = parseManifest(document.text);
  const objects = objectsOf(parsed?.value);
  const workloads = objects.flatMap((object) => workloadOf(object) ?? []);
  const [fatal] = found.filter(({ isDuplicateKey }) => !isDuplicateKey);
  const [duplicate] = found;
  if (fatal !== undefined) problems.push(`line ${lineOf(document, fatal.offset)}: ${fatal.message}`);
  else if (duplicate !== undefined) {
    const message = `line ${lineOf(document, duplicate.offset)}: ${duplicate.message}`;
    // Which of the two counts depends on the reader, so no change of this document could be checked.
    if (workloads.length > 0) problems.push(message);
    else warnings.push(message);
  }
  return {
    ...document,
    objects: objects.filter(isOfInterest),
    workloads,
    ...(workloads.length > 0 && parsed !== undefined && { manifest: parsed }),
  };
}

/** Kept from one document for the others. */
function isOfInterest({ value }: KubernetesObject): boolean {
  return /^(?:(?:Cluster)?Role(?:Binding)?|SecretProviderClass)$/.test(String(value['kind']));
}

function surroundingsOf(objects: readonly KubernetesObject[], { secret }: InjectOptions): Surroundings {
  const classes = objects.flatMap(({ value }) => {
    const synced = listOf(valueAt(value, ['spec', 'secretObjects']));
    const isCopy =
      value['kind'] === 'SecretProviderClass' && synced.some((each) => each['secretName'] === secret);
    return isCopy ? (textOf(valueAt(value, ['metadata', 'name'])) ?? []) : [];
  });
  return { roles: rolesOf(objects), secretNames: { classes } };
}
