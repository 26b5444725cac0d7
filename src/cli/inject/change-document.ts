/** Changes one document, and checks the result before anybody gets it. */

import { isDeepStrictEqual } from 'node:util';
import { additionEdits } from './additions.ts';
import { blockStyle } from './block-splices.ts';
import { type DocumentText, lineOf } from './documents.ts';
import { applyEdits, type Edit } from './edits.ts';
import { createSource, emptyRange, entryAt, type Source, Unsuitable } from './layout.ts';
import type { InjectOptions } from './options.ts';
import { type ParsedManifest, parseManifest } from './parse.ts';
import { type Action, type Plan, planFor, type Surroundings } from './plan.ts';
import { type StyledEdit, spliceText } from './splice.ts';
import type { KubernetesObject, Workload } from './workload.ts';

/** What happened to a workload. */
export interface WorkloadReport {
  /** Its kind and name, such as `Deployment/shop`. */
  readonly workload: string;
  readonly namespace?: string;
  /** The line of the stream where its document begins. */
  readonly line: number;
  readonly action: Action;
  /** The containers that use the signer. */
  readonly containers: readonly string[];
  /** The fields of the pod that were set to false. */
  readonly switches: readonly string[];
  /** Why it was skipped or refused. */
  readonly reasons: readonly string[];
  readonly notes: readonly string[];
  /** Whether `--force` overrides the reasons. */
  readonly isForceable?: true;
}

export interface ReadDocument extends DocumentText {
  readonly objects: readonly KubernetesObject[];
  readonly workloads: readonly Workload[];
  /** Kept only if there are workloads. */
  readonly manifest?: ParsedManifest;
}

interface Planned {
  readonly workload: Workload;
  readonly plan: Plan;
}

export function changeDocument(
  document: ReadDocument,
  options: InjectOptions,
  around: Surroundings,
): { readonly text: string; readonly reports: readonly WorkloadReport[] } {
  const { text, manifest, workloads } = document;
  if (manifest === undefined) return { text, reports: [] };
  const planned = workloads.map((workload) => ({
    workload,
    plan: planFor(manifest.value, workload, options, around),
  }));
  const reports = planned.map((each) => reportOf(document, each));
  try {
    return { text: changedText(text, manifest, planned, options), reports };
  } catch (error) {
    if (!(error instanceof Unsuitable)) throw error;
    const reason = `line ${lineOf(document, error.offset)}: ${error.message}`;
    const isChanged = ({ action }: WorkloadReport) => !['skipped', 'unchanged', 'refused'].includes(action);
    return {
      text: '',
      reports: reports.map((each) =>
        isChanged(each) ? { ...each, action: 'refused', reasons: [reason], notes: [] } : each,
      ),
    };
  }
}

/** First takes out what an earlier run added, and then adds what is wanted now. */
function changedText(
  text: string,
  manifest: ParsedManifest,
  planned: readonly Planned[],
  options: InjectOptions,
): string {
  const removals = planned.flatMap(({ workload, plan }) => styled(workload, plan.removal));
  const clean = changed({ text, manifest }, () => removals);
  const final = changed(clean, (source) =>
    planned.flatMap(({ workload, plan: { wanted } }) => {
      if (wanted === undefined) return [];
      const emptyText = (path: readonly (string | number)[]) => {
        const [start, end] = emptyRange(source, entryAt(source, path).entry);
        return source.text.slice(start, end);
      };
      return styled(
        workload,
        additionEdits(clean.manifest.value, workload.template, wanted, options.classic, emptyText),
      );
    }),
  );
  return final.text;
}

interface Unstyled {
  readonly edit: Edit;
  readonly workload: Workload;
}

function styled(workload: Workload, edits: readonly Edit[]): readonly Unstyled[] {
  return edits.map((edit) => ({ edit, workload }));
}

interface Manifest {
  readonly text: string;
  readonly manifest: ParsedManifest;
}

/** @throws {Unsuitable} if the new text does not say exactly what it should */
function changed(before: Manifest, editsFor: (source: Source) => readonly Unstyled[]): Manifest {
  const source = createSource(before.text, before.manifest);
  const edits = editsFor(source);
  if (edits.length === 0) return before;
  const withStyle: readonly StyledEdit[] = edits.map(({ edit, workload }) => ({
    edit,
    style: blockStyle(source, [...workload.template, 'spec']),
  }));
  const text = spliceText(source, withStyle);
  const { parsed, problems } = parseManifest(text);
  const value = applyEdits(
    before.manifest.value,
    edits.map(({ edit }) => edit),
  );
  if (parsed === undefined || problems.length > 0 || !isDeepStrictEqual(parsed.value, value)) {
    throw new Unsuitable(
      0,
      'this document is written in a way that inject cannot change safely; write it in the usual block style',
    );
  }
  return { text, manifest: parsed };
}

function reportOf({ line }: ReadDocument, { workload, plan }: Planned): WorkloadReport {
  const { action, reasons, notes, wanted, isForceable } = plan;
  return {
    workload: workload.title,
    ...(workload.namespace !== undefined && { namespace: workload.namespace }),
    line,
    action,
    containers: wanted?.users.map(({ container }) => container.name) ?? [],
    switches: wanted?.switches ?? [],
    reasons,
    notes,
    ...(isForceable && { isForceable }),
  };
}
