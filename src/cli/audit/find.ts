/** `sidecar-signer audit find`: finds the lines of a signature, and so who had it made, and when. */

import { isOfAudit } from '../../audit/chain.ts';
import { fingerprintsIn, maxGivenLength } from '../../audit/fingerprint.ts';
import { escapeControls } from '../../bytes/text.ts';
import { CommandFailure } from '../failure.ts';
import { readShortInput } from '../input.ts';
import { printResult } from '../output.ts';
import { linesOf } from './lines.ts';

interface Match {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

const adviceToBeShort = 'give the signature, or the token, header or URL that holds it';

/** Of more lines, only the number is told. */
const maxShown = 1000;

const member = /"signature":"([0-9a-f]{32})"/;

/**
 * Sets the exit code: 0 if there is a line.
 * @param signature a signature, or a token, the value of a header, a cookie or a URL that holds one; `-` for standard input
 * @throws {CommandFailure} if a file cannot be read, or if there can be no signature in the text
 */
export function auditFind(
  files: readonly string[],
  signature: string,
  options: { readonly json?: true },
): void {
  const given =
    signature === '-' ? readShortInput('-', maxGivenLength, adviceToBeShort).toString() : signature;
  const wanted = fingerprintsIn(given);
  if (wanted.size === 0) {
    throw new CommandFailure(
      'no signature can be in this text; give it as it was sent, for instance the whole token',
    );
  }
  const matches: Match[] = [];
  let count = 0;
  for (const file of files) {
    for (const { number, bytes, isTooLong } of linesOf(file)) {
      const text = bytes.toString('latin1');
      if (isTooLong || !isOfAudit(text) || !wanted.has(member.exec(text)?.[1] ?? '')) continue;
      count += 1;
      if (matches.length < maxShown) matches.push({ file, line: number, text });
    }
  }
  const events = matches.map(({ text, ...place }) => ({ ...place, event: eventOf(text) }));
  printResult(options, { count, matches: events }, escapeText(describe(count, matches)));
  process.exitCode = count > 0 ? 0 : 1;
}

function eventOf(line: string): object {
  try {
    return JSON.parse(line);
  } catch {
    // The line was changed; "audit verify" says so.
    return {};
  }
}

function describe(count: number, matches: readonly Match[]): readonly string[] {
  if (count === 0) return ['there is no line of this signature'];
  const more = count - matches.length;
  return [
    ...matches.map(({ file, line, text }) => `${file}:${line}: ${text}`),
    ...(more > 0 ? [`and ${more} more`] : []),
  ];
}

function escapeText(lines: readonly string[]): string {
  return lines.map(escapeControls).join('\n');
}
