/** Changes one document, and checks the result before anybody gets it. */

import { isDeepStrictEqual } from 'node:util';
import { additionEdits } from './additions.ts';
import { blockStyle } from './block-splices.ts';
import { type DocumentText, lineOf } from './documents.ts';
import { applyEdits, type Edit } from './edits.ts';
import { type Path, valueAt } from './fields.ts';
import { createSource, emptyRange, entryAt, repeatedPart, type Source, Unsuitable } from './layout.ts';
import type { InjectOptions } from './options.ts';
import { type ParsedManifest, parseManifest } from './parse.ts';
import { type Action, type Plan, planFor, type Surroundings } from './plan.ts';
import { spliceText } from './splice.ts';
import type { KubernetesObject, Workload } from './workload.ts';
import type { BlockStyle } from './yaml-text.ts';

/** Reads one document, without positions. @throws if it is not valid YAML */
export type QuickReader = (text: string) => unknown;

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
  /** Kept only if there are workloads; without positions if none of them changes. */
  readonly manifest?: ParsedManifest | { readonly value: unknown; readonly document: undefined };
}

interface Planned {
  readonly workload: Workload;
  readonly plan: Plan;
}

export function changeDocument(
  document: ReadDocument,
  options: InjectOptions,
  around: Surroundings,
  quickRead?: QuickReader,
): { readonly text: string; readonly reports: readonly WorkloadReport[] } {
  const { text, manifest, workloads } = document;
  if (manifest === undefined) return { text, reports: [] };
  const planned = workloads.map((workload) => ({
    workload,
    plan: planFor(manifest.value, workload, options, around),
  }));
  const reports = planned.map((each) => reportOf(document, each));
  if (manifest.document === undefined) return { text, reports };
  try {
    return { text: changedText({ text, manifest }, planned, options, quickRead), reports };
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
  before: Manifest,
  planned: readonly Planned[],
  options: InjectOptions,
  quickRead: QuickReader | undefined,
): string {
  const removals = planned.flatMap(({ workload, plan }) => unstyledOf(workload, plan.removal));
  const clean = removals.length === 0 ? before : reread(changed(before, () => removals, quickRead));
  return changed(
    clean,
    (source) =>
      planned.flatMap(({ workload, plan: { wanted } }) => {
        if (wanted === undefined) return [];
        const template = valueAt(clean.manifest.value, workload.template);
        const emptyText = (path: Path) => {
          const [start, end] = emptyRange(source, entryAt(source, [...workload.template, ...path]).entry);
          return source.text.slice(start, end);
        };
        return unstyledOf(workload, additionEdits(template, wanted, options.classic, emptyText));
      }),
    quickRead,
  );
}

function reread(text: string): Manifest {
  const { parsed } = parseManifest(text);
  if (parsed === undefined) throw new Unsuitable(0, unsafe);
  return { text, manifest: parsed };
}

/** @returns undefined without a quick reader, and if it cannot read the text */
export function attempt(text: string, quickRead: QuickReader | undefined): unknown {
  try {
    return quickRead?.(text);
  } catch {
    return undefined;
  }
}

interface Unstyled {
  readonly edit: Edit;
  readonly workload: Workload;
}

function unstyledOf(workload: Workload, edits: readonly Edit[]): readonly Unstyled[] {
  return edits.map((edit) => ({ edit: { ...edit, path: [...workload.template, ...edit.path] }, workload }));
}

interface Manifest {
  readonly text: string;
  readonly manifest: ParsedManifest;
}

const unsafe =
  'this document is written in a way that inject cannot change safely; write it in the usual block style';

/** @throws {Unsuitable} if the new text does not say exactly what it should */
function changed(
  before: Manifest,
  editsFor: (source: Source) => readonly Unstyled[],
  quickRead: QuickReader | undefined,
): string {
  const source = createSource(before.text, before.manifest);
  const unstyled = editsFor(source);
  if (unstyled.length === 0) return before.text;
  const styles = new Map<Workload, BlockStyle>();
  const styled = unstyled.map(({ edit, workload }) => {
    const style = styles.get(workload) ?? blockStyle(source, [...workload.template, 'spec']);
    styles.set(workload, style);
    return { edit, style };
  });
  const text = spliceText(source, styled);
  const edits = unstyled.map(({ edit }) => edit);
  const isAsWanted = (value: unknown, old: unknown) => {
    try {
      return isDeepStrictEqual(value, applyEdits(old, edits));
    } catch {
      // A reader that is wrong may have found no list where the changes are.
      return false;
    }
  };
  // The two readers agree on nearly every manifest. Where they do not, as on the octal 0444 and an unquoted yes, the
  // quick one is compared with itself, or the usual one decides.
  const quickValue = attempt(text, quickRead);
  if (quickValue !== undefined) {
    if (isAsWanted(quickValue, before.manifest.value)) return text;
    const quickBefore = attempt(before.text, quickRead);
    if (quickBefore !== undefined && isAsWanted(quickValue, quickBefore)) return text;
  }
  const { parsed, problems } = parseManifest(text);
  if (problems.length === 0 && isAsWanted(parsed?.value, before.manifest.value)) return text;
  const paths = edits.map(({ path }) => path);
  throw repeatedPart(source, paths) ?? new Unsuitable(0, unsafe);
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
