/** What goes to standard output: the result of a command, and the log. */

import { createWriteStream, write as writeOnce } from 'node:fs';
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

/** How long to wait for the reader of a full pipe, before the next try. */
const retryMs = 20;

/**
 * Waits for the reader of a full pipe for as long as it takes. A stream alone would give up after a few tries, in the
 * middle of a line.
 */
function write(
  file: number,
  bytes: Uint8Array,
  start: number,
  length: number,
  position: number | null,
  done: (error: NodeJS.ErrnoException | null, written: number, bytes: Uint8Array) => void,
): void {
  writeOnce(file, bytes, start, length, position, (error, written) => {
    if (error?.code !== 'EAGAIN') return done(error, written, bytes);
    setTimeout(() => write(file, bytes, start, length, position, done), retryMs).unref();
  });
}

/** The log must not delay a signature, even if its reader pauses or goes away, or the disk is full. */
function standardOutput(): LogOutput {
  // A stream cannot be used after an error, but the next line may succeed with a new one.
  const open = () =>
    createWriteStream('', { fd: 1, autoClose: false, fs: { write: write as typeof writeOnce } }).on(
      'error',
      () => {
        stream = open();
      },
    );
  let stream = open();
  return {
    write: (line) => {
      if (stream.writableLength < maxWaitingBytes) stream.write(line);
    },
    end: (done) => stream.on('error', done).end(done),
  };
}
