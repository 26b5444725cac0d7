/** What a benchmark found, and how it is printed: a table for people, JSON for machines. */

import { styleText } from 'node:util';

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
  const rows = [['', 'result', 'target', 'verdict', ''], ...figures.map(cells)];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const [index, row] of rows.entries()) {
    const [name = '', result = '', target = '', verdict = '', detail = ''] = row.map((cell, column) =>
      column === 1 || column === 2 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
    );
    const colour = verdict.startsWith('missed') ? 'red' : 'green';
    const line =
      index === 0
        ? styleText('bold', [name, result, target, verdict].join('   '))
        : [name, result, target, styleText(colour, verdict), styleText('dim', detail)].join('   ');
    process.stdout.write(`${line.trimEnd()}\n`);
  }
}

function cells(figure: Figure): string[] {
  const { name, value, unit, target, detail = '' } = figure;
  const bound = (number: number, sign: string) => `${sign} ${format(number)} ${unit}`;
  if (target === undefined) return [name, `${format(value)} ${unit}`, '', '', detail];
  const wanted = 'atLeast' in target ? bound(target.atLeast, '≥') : bound(target.atMost, '≤');
  return [name, `${format(value)} ${unit}`, wanted, isMet(figure) ? 'met' : 'missed', detail];
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
