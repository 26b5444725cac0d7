/** `sidecar-signer audit verify`: checks that no line of an audit was changed, removed or put in. */

import { follows, type Head, hashOf, isFirst, isOfAudit, type Place, placeOf } from '../../audit/chain.ts';
import { beginning } from '../../audit/line.ts';
import { escapeControls } from '../../bytes/text.ts';
import { CommandFailure } from '../failure.ts';
import { printResult } from '../output.ts';
import { linesOf } from './lines.ts';

interface Sound {
  readonly valid: true;
  /** How many lines of an audit there are. */
  readonly lines: number;
  /** Their first and their last number, and the hash of the last one; null without any line. */
  readonly first: number | null;
  readonly head: Head | null;
  /** More than 1 if a file begins a chain anew. */
  readonly chains: number;
  /** The files whose last line is cut off. */
  readonly cut: readonly string[];
  /** How many lines are none of an audit, such as those of the log. */
  readonly others: number;
}

interface Broken {
  readonly valid: false;
  readonly file: string;
  readonly line: number;
  readonly reason: string;
}

/**
 * Several files are one chain, in their order. Sets the exit code.
 * @throws {CommandFailure} if a file cannot be read, or if no line is one of an audit
 */
export function auditVerify(files: readonly string[], options: { readonly json?: true }): void {
  const result = check(files);
  printResult(options, result, result.valid ? describe(result) : escapeControls(describeBreak(result)));
  process.exitCode = result.valid ? 0 : 1;
}

function check(files: readonly string[]): Sound | Broken {
  let head: Head | undefined;
  let first: number | null = null;
  let time = '';
  let [lines, chains, others] = [0, 0, 0];
  const cut: string[] = [];
  for (const file of files) {
    let isFirstOfFile = true;
    for (const { number, bytes, isTooLong, isWhole } of linesOf(file)) {
      const text = bytes.toString('latin1');
      if (!isWhole && !isTooLong && isCut(text)) {
        cut.push(file);
        continue;
      }
      if (!isOfAudit(text)) {
        others += 1;
        continue;
      }
      const place = isTooLong ? undefined : placeOf(text);
      const begins = place !== undefined && isFirst(place) && isFirstOfFile;
      const reason = begins ? whyNotBegun(place, time) : whyBroken(place, head);
      if (place === undefined || reason !== undefined) {
        return { valid: false, file, line: number, reason: reason ?? notALine };
      }
      if (head === undefined || begins) chains += 1;
      first ??= place.seq;
      ({ time } = place);
      head = { seq: place.seq, hash: hashOf(bytes) };
      lines += 1;
      isFirstOfFile = false;
    }
  }
  // Otherwise the check of a wrong file could not fail.
  if (lines === 0 && others > 0) {
    throw new CommandFailure(
      `${files.join(', ')}: no line is one of an audit; check that this is what serve has written (--audit)`,
    );
  }
  return { valid: true, lines, first, head: head ?? null, chains, cut, others };
}

const notALine = 'this is no line as the signer writes it; it was changed';

/** A chain begins anew where a signer has found an empty file, which is later than what it has written before. */
function whyNotBegun(place: Place, timeBefore: string): string | undefined {
  return place.time < timeBefore
    ? 'it is older than the line before: the files are not in their order'
    : undefined;
}

function whyBroken(place: Place | undefined, head: Head | undefined): string | undefined {
  if (place === undefined) return notALine;
  // The files before may not be here any more.
  if (head === undefined || follows(head, place)) return undefined;
  if (isFirst(place)) {
    return 'another chain begins here; if the signer writes to standard output, give the output of each start as a file of its own';
  }
  if (place.seq !== head.seq + 1) {
    return `its number is ${place.seq} and not ${head.seq + 1}: lines were removed or put in, or the files are not in their order`;
  }
  return 'it does not have the hash of the line before: that line was changed, or this one was put in';
}

/** Whether a text is the beginning of a line that was not written to its end. */
function isCut(text: string): boolean {
  return isOfAudit(text) || (text !== '' && beginning.startsWith(text));
}

function describe({ lines, first, head, chains, cut, others }: Sound): string {
  const range = `${lines} ${lines === 1 ? 'line' : 'lines'}, number ${first} to ${head?.seq}: the chain is whole`;
  return [
    head === null ? 'there is no line of an audit yet' : `${range}; the last line has the hash ${head.hash}`,
    ...(chains > 1
      ? [`note: there are ${chains} chains; a chain begins where a signer starts with an empty file`]
      : []),
    ...cut.map(
      (file) => `note: the last line of ${escapeControls(file)} is cut off; its operation was not answered`,
    ),
    ...(others > 0 ? [`note: ${others} other ${others === 1 ? 'line is' : 'lines are'} left out`] : []),
  ].join('\n');
}

function describeBreak({ file, line, reason }: Broken): string {
  return `${file}:${line}: the chain breaks: ${reason}`;
}
