/** Standard output for the log: who reads it may pause, go away, or have a full disk, and none of it holds up a signature. */

import { createWriteStream } from 'node:fs';
import type { LogOutput } from '../ops/log.ts';

/** Lines that a reader has left waiting; further ones are lost until it goes on. */
const maxWaitingBytes = 2 ** 20;

export function standardOutput(): LogOutput {
  // A stream is of no use after an error; the next line may fare better.
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
