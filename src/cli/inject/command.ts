/** `sidecar-signer inject`: manifests in, manifests out, and a summary on standard error. */

import { styleText } from 'node:util';
import { decodeUtf8, escapeControls } from '../../bytes/text.ts';
import { CommandFailure } from '../failure.ts';
import { nameOf, readInput } from '../input.ts';
import { type InjectResult, inject, type WorkloadReport } from './inject.ts';
import type { InjectOptions } from './options.ts';

export interface InjectFlags extends Omit<Partial<InjectOptions>, 'callers'> {
  readonly caller: InjectOptions['callers'];
  readonly json?: true;
}

/** A stream of manifests is read as a whole, and its tree needs many times the memory of its text. */
const maxBytes = 16 * 2 ** 20;

/** @throws {CommandFailure} when the file cannot be read */
export function injectCommand(file: string, { caller, json, ...options }: InjectFlags): void {
  if (file === '-' && process.stdin.isTTY) {
    process.stderr.write('paste the manifests, then press Ctrl-D\n');
  }
  const bytes = readInput(file);
  if (bytes.length > maxBytes) {
    throw new CommandFailure(`${nameOf(file)} is longer than 16 MiB; inject its parts one by one`);
  }
  const text = decodeUtf8(bytes);
  // UTF-16 without a mark is valid UTF-8, with a NUL beside each letter.
  if (text === undefined || text.includes('\0')) {
    throw new CommandFailure(`${nameOf(file)} is not UTF-8 text; save it as UTF-8`);
  }
  const result = inject(text, { ...options, callers: caller }, (document) => Bun.YAML.parse(document));
  process.stdout.write(result.text);
  process.stderr.write(json ? `${formatJson(result)}\n` : formatSummary(result, options));
  process.exitCode = result.exitCode;
}

function formatJson({ summary, problems }: InjectResult): string {
  return escapeControls(JSON.stringify({ workloads: summary, problems }));
}

function formatSummary(result: InjectResult, options: Partial<InjectOptions>): string {
  const { summary, problems } = result;
  const lines = [
    ...problems.map((problem) => line('red', '✗', problem)),
    ...summary.flatMap(formatReport),
    ...conclusion(result, options),
  ];
  return lines.map((each) => `${each}\n`).join('');
}

type Colour = Parameters<typeof styleText>[0];

function line(colour: Colour, mark: string, text: string): string {
  return `${styleText(colour, mark, { stream: process.stderr })} ${escapeControls(text)}`;
}

function formatReport(report: WorkloadReport): readonly string[] {
  const { workload, namespace, action, reasons, notes } = report;
  const title = namespace === undefined ? workload : `${workload} in ${namespace}`;
  const noted = notes.map((note) => line('yellow', '!', `${title}: ${note}`));
  switch (action) {
    case 'refused':
      return reasons.map((reason) => line('red', '✗', `${title}: ${reason}`));
    case 'skipped':
      return [line('dim', '-', `${title}: left alone, because ${reasons.join('; ')}`)];
    case 'unchanged':
      return [line('dim', '-', `${title}: has the signer already`), ...noted];
    case 'removed':
      return [line('green', '✓', `${title}: signer removed`)];
    default:
      return [line('green', '✓', `${title}: signer ${action}${formatChange(report)}`), ...noted];
  }
}

function formatChange({ containers, switches }: WorkloadReport): string {
  const set = switches.length === 0 ? '' : `; ${switches.join(', ')} set to false`;
  return `${containers.length === 0 ? '' : `, for ${containers.join(', ')}`}${set}`;
}

/** What to do next, if nothing was written or changed. */
function conclusion(
  { summary, problems }: InjectResult,
  { all, remove }: Partial<InjectOptions>,
): readonly string[] {
  const refused = summary.filter(({ action }) => action === 'refused');
  if (problems.length > 0) return ['nothing was written; correct the manifests'];
  if (refused.length > 0) {
    const isForceable = refused.every((each) => each.isForceable);
    return [
      `nothing was written${isForceable ? '; to do it although the key is less protected, use --force' : ''}`,
    ];
  }
  if (summary.length === 0) return ['there is no workload in the input'];
  const isAllSkipped = summary.every(({ action }) => action === 'skipped');
  if (!isAllSkipped || all || remove) return [];
  return ['nothing was changed; give a workload the label sidecar-signer/inject: "true", or use --all'];
}
