/** What a benchmark found, and how it is printed: a Markdown table for people, JSON for machines. */

import { stripVTControlCharacters, styleText } from 'node:util';
import { markdownTable } from 'markdown-table';

/** One figure, with the target it must reach, if there is one. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly target?: { readonly atLeast: number } | { readonly atMost: number };
  /** What the figure comes from. */
  readonly detail?: string;
}

export function isMet({ value, target }: Figure): boolean {
  if (target === undefined) return true;
  return 'atLeast' in target ? value >= target.atLeast : value <= target.atMost;
}

export function printJson(figures: readonly Figure[]): void {
  const machine = { node: process.version, platform: `${process.platform} ${process.arch}` };
  const rows = figures.map((figure) => ({ ...figure, met: isMet(figure) }));
  process.stdout.write(`${JSON.stringify({ ...machine, figures: rows }, null, 2)}\n`);
}

export function printTable(figures: readonly Figure[]): void {
  const head = ['what', 'result', 'target', '', 'details'];
  const table = markdownTable([head, ...figures.map(cells)], {
    align: ['l', 'r', 'r', 'l', 'l'],
    stringLength: (text) => stripVTControlCharacters(text).length,
  });
  process.stdout.write(`${table}\n`);
}

function cells(figure: Figure): string[] {
  const { name, value, unit, target, detail = '' } = figure;
  const result = `${format(value)} ${unit}`;
  if (target === undefined) return [name, result, '', '', detail];
  const [sign, bound] = 'atLeast' in target ? ['≥', target.atLeast] : ['≤', target.atMost];
  const verdict = isMet(figure) ? styleText('green', 'met') : styleText('red', 'missed');
  return [name, result, `${sign} ${format(bound)} ${unit}`, verdict, detail];
}

/** Three digits that count, and no more. */
export function format(value: number): string {
  return value.toLocaleString(
    'en',
    value >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 },
  );
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const index = Math.ceil((percent / 100) * sorted.length) - 1;
  const value = sorted[Math.max(index, 0)];
  if (value === undefined) throw new Error('no values were measured');
  return value;
}

/** Says on the terminal what is being measured; nothing where nobody watches. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
