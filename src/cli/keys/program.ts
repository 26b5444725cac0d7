/** The command `keys` and its sub-commands on the command line. */

import { Argument, Command, Option } from 'commander';
import { defaultEncoding, keyEncodings } from '../../key-sets/settings.ts';
import { algorithmNames } from '../../signing/mac.ts';
import { parseMode } from '../address.ts';
import {
  configOption,
  jsonOption,
  keysOption,
  listenOption,
  parsed,
  socketOption,
  unlessInjected,
} from '../flags.ts';
import { loaded } from '../loaded.ts';
import type { NewOptions } from './new.ts';

export function createKeysCommand(): Command {
  const keys = new Command('keys').description(
    'make keys, rotate them in files and Secret manifests, and derive those of tenants',
  );
  keys.addCommand(createNewCommand());
  keys.addCommand(
    new Command('add')
      .description('add a key to a JWK set; it verifies, and signs once it is promoted')
      .addArgument(targetArgument())
      .addOption(entryOption())
      .addOption(algorithmOption('; default: as the primary'))
      .addOption(kidOption())
      .addOption(jsonOption())
      .action(loaded(async () => (await import('./rotate.ts')).keysAdd)),
  );
  keys.addCommand(
    new Command('promote')
      .description('make a key of a JWK set its primary, the one that signs')
      .addArgument(targetArgument())
      .argument('<kid>', 'the id of the key')
      .addOption(entryOption())
      .addOption(jsonOption())
      .action(loaded(async () => (await import('./rotate.ts')).keysPromote)),
  );
  keys.addCommand(
    new Command('remove')
      .description('remove a key from a JWK set; what it signed is not valid any more')
      .addArgument(targetArgument())
      .argument('<kid>', 'the id of the key')
      .addOption(entryOption())
      .addOption(jsonOption())
      .action(loaded(async () => (await import('./rotate.ts')).keysRemove)),
  );
  keys.addCommand(
    new Command('show')
      .description('list the keys of a file by id, without the keys')
      .addArgument(targetArgument())
      .addOption(entryOption())
      .addOption(encodingOption())
      .addOption(jsonOption())
      .action(loaded(async () => (await import('./show.ts')).keysShow)),
  );
  keys.addCommand(
    new Command('list')
      .description('list the key sets of a running signer, with the ids of their keys')
      .addOption(listenOption())
      .addOption(socketOption())
      .addOption(jsonOption())
      .action(loaded(async () => (await import('./list.ts')).keysList)),
  );
  keys.addCommand(
    new Command('derive')
      .description('print the secret of a tenant, where the configuration lets it be exported')
      .argument('<key>', 'name of a key set whose keys are derived')
      .argument('<tenant>', 'whose secret')
      .addOption(keysOption())
      .addOption(configOption().makeOptionMandatory())
      .option('--root <key id>', 'the root to derive it from; default: the primary')
      .addOption(jsonOption())
      .action(unlessInjected(loaded(async () => (await import('./derive.ts')).keysDerive))),
  );
  return keys;
}

/** The command `keys new`, with its usage checks. */
function createNewCommand(): Command {
  const command = new Command('new')
    .description('make random keys; *.jwks.json makes a JWK set of one')
    .argument('<file...>', 'a key file to make, which names the key set; - prints the key')
    .addOption(encodingOption())
    .addOption(algorithmOption().default('HS256'))
    .addOption(kidOption())
    .addOption(
      new Option('-o, --output <what>', 'the file, or a Secret manifest on standard output')
        .choices(['file', 'secret'])
        .default('file'),
    )
    .option('--secret-name <name>', 'metadata.name of the manifest', 'signer-keys')
    .addOption(
      new Option(
        '--mode <mode>',
        'file mode; default: that of the file it replaces, 0600 for a new one',
      ).argParser(parsed(parseMode)),
    )
    .option('--replace', 'put the new key in the place of an old one')
    .addOption(new Option('--if-missing', 'leave a file as it is that is there already').conflicts('replace'))
    .addOption(jsonOption());
  const make = loaded(async () => (await import('./new.ts')).keysNew);
  return command.action(async (files: readonly string[], options: NewOptions) => {
    const plain = files.find((file) => (options.encoding ?? defaultEncoding(file)) !== 'jwks');
    if (options.kid !== undefined && plain !== undefined) {
      command.error(`error: --kid is for a JWK set, and ${plain} is none; name it *.jwks.json`);
    }
    if (options.json && (options.output === 'secret' || files.includes('-'))) {
      command.error('error: --json tells of files; what is printed is the key');
    }
    await make(files, options);
  });
}

function targetArgument(): Argument {
  return new Argument('<file>', 'a key file, a Secret manifest (*.yaml), or - for a manifest through a pipe');
}

function entryOption(): Option {
  return new Option('--entry <name>', 'which entry of the Secret manifest');
}

function encodingOption(): Option {
  return new Option(
    '--encoding <encoding>',
    'how the key is written; default: bytes, or jwks by its name',
  ).choices(keyEncodings);
}

function algorithmOption(orElse = ''): Option {
  return new Option('--algorithm <algorithm>', `what the key is for, which sets its length${orElse}`).choices(
    algorithmNames,
  );
}

function kidOption(): Option {
  return new Option('--kid <kid>', 'the id of the new key in its JWK set; default: derived from the key');
}
