/** The command `explain`, with its flags and help. */

import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { notations as timeNotations } from '../../formats/webhook/timestamp.ts';
import { jsonFlag, lazyKeyAction, withKeyFlags } from '../flags.ts';
import type { ExplainOptions } from './explain.ts';

/** @param key the argument that names the key set */
export function createExplainCommand(key: Argument): Command {
  const command = withKeyFlags(new Command('explain'))
    .description('say why the signature of a received request is not valid; exit code 1 if so')
    .usage(
      '[options] <key> [file]\n       sidecar-signer explain [options] <key> --headers <file> --body <file>',
    )
    .addArgument(key)
    .addArgument(new Argument('[file]', 'the request: head, an empty line, body (default: standard input)'))
    .option('--headers <file>', 'only the headers, or the output of curl -v; - for standard input')
    .option('--body <file>', 'only the body; - for standard input')
    .option('--url <url>', 'the URL that the sender called; default: from the request line and Host')
    .addOption(
      new Option('--method <method>', 'the method of the request; default: from the request line').argParser(
        parseMethod,
      ),
    )
    .addOption(
      new Option(
        '--at <time>',
        'judge its time as of then, such as 2027-01-15T08:00:00Z; default: now',
      ).argParser(parseTime),
    )
    .addOption(jsonFlag());
  const explain = lazyKeyAction(async () => (await import('./explain.ts')).explain);
  return command.action(async (name: string, file: string | undefined, options: ExplainOptions) => {
    const { headers, body } = options;
    if ((headers === undefined) !== (body === undefined)) {
      command.error('error: give --headers and --body together, or one file with both');
    }
    if (headers !== undefined && file !== undefined) {
      command.error('error: with --headers and --body, give only the key');
    }
    if (headers === '-' && body === '-') {
      command.error('error: --headers and --body cannot both be standard input');
    }
    await explain(name, file ?? '-', options);
  });
}

/** @throws {InvalidArgumentError} */
function parseMethod(text: string): string {
  if (/^[A-Za-z]{1,32}$/.test(text)) return text;
  throw new InvalidArgumentError('expected the method of a request, for instance POST');
}

/** A time of RFC 3339, or seconds since 1970. @throws {InvalidArgumentError} */
function parseTime(text: string): number {
  const isDate = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.test(text);
  const date = isDate ? timeNotations.rfc3339.read(text) : Number.NaN;
  const timeMs = /^\d{1,12}$/.test(text) ? Number(text) * 1000 : date;
  if (!Number.isNaN(timeMs) && timeMs <= 8.64e15) return timeMs;
  throw new InvalidArgumentError(
    'expected a time such as 2027-01-15T08:00:00Z, or seconds since 1970 such as 1800000000',
  );
}
