/** What goes to standard output: the result of a command, and the log. */

import { createWriteStream } from 'node:fs';
import { escapeControls } from '../bytes/text.ts';
import type { LogFormat, LogOutput } from '../ops/log.ts';
import { loadPrettyPrinter } from '../ops/pretty.ts';

/**
 * Prints the result of a command: as JSON with `--json`, else as text. The caller has escaped what stands in the text,
 * because the text may also have colours.
 */
export function printResult({ json }: { readonly json?: true }, result: object, text: string): void {
  process.stdout.write(`${json ? escapeControls(JSON.stringify(result)) : text}\n`);
}

/** How much of the log may wait for its reader. Further lines are dropped until the reader goes on. */
const maxWaitingBytes = 2 ** 20;

/** Standard output for the log, in the format that was asked for. */
export async function openLogOutput(format: LogFormat): Promise<LogOutput> {
  const output = standardOutput();
  const { stdout } = process;
  const isJson = format === 'json' || (format === 'auto' && !stdout.isTTY);
  const print = isJson ? escapeLine : await loadPrettyPrinter(stdout.isTTY && stdout.hasColors());
  return { ...output, write: (line) => output.write(print(line)) };
}

function escapeLine(line: string): string {
  return `${escapeControls(line.slice(0, -1))}\n`;
}

/** The log must not delay a signature, even if its reader pauses or goes away, or the disk is full. */
function standardOutput(): LogOutput {
  // A stream cannot be used after an error, but the next line may succeed with a new one.
  const open = () =>
    createWriteStream('', { fd: 1, autoClose: false }).on('error', () => {
      stream = open();
    });
  let stream = open();
  return {
    write: (line) => {
      if (stream.writableLength < maxWaitingBytes) stream.write(line);
    },
    end: (done) => stream.on('error', done).end(done),
  };
}
