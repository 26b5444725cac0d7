/** Reads what curl prints about a request that it sent: `-v`, `--trace-ascii` and `--trace`. */

import { CommandFailure } from '../failure.ts';
import { type Head, parseHead, parseHeadLines } from './head.ts';

export interface CurlOutput {
  readonly head: Head;
  /** Undefined if the output does not have it, or not exactly. */
  readonly body: Uint8Array | undefined;
}

/** Of the beginning of a file. */
const verbose = /^(?:\* |> [A-Za-z]+ \S+ HTTP\/|Note: |[ \t]*% Total)/;
const trace = /^(?:== Info:|=> Send )/;
const section = /^(=>|<=|==) (.*)$/;
const maxLines = 4_000_000;

/** @returns undefined if the file is something else. @throws {CommandFailure} */
export function readCurlOutput(bytes: Uint8Array, file: string): CurlOutput | undefined {
  const beginning = Buffer.from(bytes.subarray(0, 64)).toString('latin1');
  if (verbose.test(beginning)) return { head: readVerbose(bytes, file), body: undefined };
  return trace.test(beginning) ? readTrace(bytes, file) : undefined;
}

/** The lines that begin with `> `. What else is printed is the response, and notes. */
function readVerbose(bytes: Uint8Array, file: string): Head {
  const lines: string[] = [];
  for (const line of linesOf(bytes)) {
    // The progress meter ends with a carriage return.
    const [, sent] = /(?:^|\r)> (.*)$/.exec(line.replace(/\r$/, '')) ?? [];
    if (sent === '') break;
    if (sent !== undefined) lines.push(sent);
  }
  if (lines.length === 0) throw nothingSent(file);
  return parseHeadLines(lines, file);
}

function readTrace(bytes: Uint8Array, file: string): CurlOutput {
  let kind = '';
  let wanted = 0;
  let isExact = true;
  const parts = { header: [] as Uint8Array[], data: [] as Uint8Array[] };
  const headLines: string[] = [];
  for (const line of linesOf(bytes)) {
    const [, direction, title = ''] = section.exec(line) ?? [];
    if (direction !== undefined) {
      kind = direction === '=>' ? (/^Send (header|data),/.exec(title)?.[1] ?? '') : '';
      // A second request, after a redirect for instance.
      if (kind === 'header' && parts.data.length + headLines.length > 0) break;
      if (kind === 'data') wanted += Number(/, (\d+) bytes/.exec(title)?.[1] ?? 0);
      continue;
    }
    const [, row] = /^[0-9a-f]{4,}: (.*)$/.exec(line) ?? [];
    if (row === undefined || (kind !== 'header' && kind !== 'data')) continue;
    const hex = hexRow(row);
    if (hex !== undefined) parts[kind].push(hex);
    else if (kind === 'header') headLines.push(row);
    else isExact = false;
  }
  if (parts.header.length + headLines.length === 0) throw nothingSent(file);
  const head =
    headLines.length > 0 ? parseHeadLines(headLines, file) : parseHead(Buffer.concat(parts.header), file);
  const body = Buffer.concat(parts.data);
  return { head, body: isExact && body.length === wanted ? body : undefined };
}

/** Sixteen columns of hex digits, and then the same as text. `--trace-ascii` has the text alone. */
function hexRow(row: string): Uint8Array | undefined {
  const columns = row.slice(0, 48);
  if (columns.length < 48 || !/^(?:[0-9a-f]{2} )+ *$/.test(columns)) return undefined;
  return Buffer.from(columns.replaceAll(' ', ''), 'hex');
}

function linesOf(bytes: Uint8Array): readonly string[] {
  return Buffer.from(bytes).toString('latin1').split('\n', maxLines);
}

function nothingSent(file: string): CommandFailure {
  return new CommandFailure(`${file} is output of curl in which no request is sent; run curl with -v`);
}
