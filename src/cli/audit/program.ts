/** The command `audit` and its commands, with their flags and help. */

import { Command } from 'commander';
import { jsonFlag, lazyAction } from '../flags.ts';

type Find = (files: readonly string[], signature: string, options: { readonly json?: true }) => Promise<void>;

export function createAuditCommand(): Command {
  return new Command('audit')
    .description('check an audit that serve has written, and find a signature in it')
    .addCommand(
      new Command('verify')
        .description('check that no line was changed, removed or put in; exit code 1 if one was')
        .argument('<file...>', 'the files of one audit, the oldest first; - for standard input')
        .addOption(jsonFlag())
        .action(lazyAction(async () => (await import('./verify.ts')).auditVerify)),
    )
    .addCommand(createFindCommand(lazyAction(async () => (await import('./find.ts')).auditFind)));
}

function createFindCommand(find: Find): Command {
  const command = new Command('find')
    .description('find who had a signature made or verified, and when; exit code 1 if there is no line')
    .usage('[options] <file...> <signature>')
    .argument(
      '<file...>',
      'the files of the audit, and last the signature, or the token, header, cookie or URL that holds it; - for standard input',
    )
    .addOption(jsonFlag());
  return command.action(async (given: readonly string[], options: { readonly json?: true }) => {
    const [files, signature = ''] = [given.slice(0, -1), given.at(-1)];
    if (files.length === 0) command.error('error: give the files and the signature');
    if (signature === '-' && files.includes('-')) {
      command.error('error: standard input is either a file or the signature');
    }
    await find(files, signature, options);
  });
}
