/** The command `keys` and its commands, with their flags and help. */

import { Argument, Command, Option } from 'commander';
import { defaultEncoding, keyEncodings } from '../../key-sets/settings.ts';
import { currentAlgorithms } from '../../signing/mac.ts';
import { jsonFlag, lazyAction, lazyKeyAction, parseMode, withKeyFlags, withSignerFlags } from '../flags.ts';
import type { NewOptions } from './new.ts';

export function createKeysCommand(): Command {
  return new Command('keys')
    .description('create keys, rotate them in key files and Secret manifests, and derive keys for tenants')
    .addCommand(createNewCommand())
    .addCommand(
      withFileFlags(new Command('rotate'))
        .description('make a new key, and keep the old one in FILE.previous, which alsoVerify names')
        .addOption(encodingFlag())
        .addOption(algorithmFlag('; default: as long as the old key'))
        .option('--replace-previous', 'replace the key in FILE.previous; what it has signed ends')
        .action(lazyAction(async () => (await import('./rotate-pair.ts')).keysRotate)),
    )
    .addCommand(
      withFileFlags(new Command('add'))
        .description('add a key to a JWK set; it verifies, and signs once it is promoted')
        .addOption(algorithmFlag('; default: as the primary'))
        .addOption(kidFlag())
        .action(lazyAction(async () => (await import('./rotate.ts')).keysAdd)),
    )
    .addCommand(
      withFileFlags(new Command('promote'))
        .description('make a key of a JWK set its primary, the one that signs')
        .argument('<kid>', 'the id of the key')
        .action(lazyAction(async () => (await import('./rotate.ts')).keysPromote)),
    )
    .addCommand(
      withFileFlags(new Command('remove'))
        .description('remove a key from a JWK set; its signatures no longer verify afterwards')
        .argument('<kid>', 'the id of the key')
        .action(lazyAction(async () => (await import('./rotate.ts')).keysRemove)),
    )
    .addCommand(
      withFileFlags(new Command('show'))
        .description('list the keys in a file by id, without the keys')
        .addOption(encodingFlag())
        .action(lazyAction(async () => (await import('./show.ts')).keysShow)),
    )
    .addCommand(
      withSignerFlags(new Command('list'))
        .description('list the key sets of a running signer, with the ids of their keys')
        .action(lazyAction(async () => (await import('./list.ts')).keysList)),
    )
    .addCommand(
      withKeyFlags(new Command('derive'), true)
        .description('print the secret of a tenant, if the configuration allows its export')
        .argument('<key>', 'name of a key set with derived keys')
        .argument('<tenant>', 'name of the tenant')
        .option('--root <key id>', 'the root to derive it from; default: the primary')
        .addOption(jsonFlag())
        .action(lazyKeyAction(async () => (await import('./derive.ts')).keysDerive)),
    );
}

function createNewCommand(): Command {
  const command = new Command('new')
    .description('create random keys; a name that ends with .jwks.json makes a JWK set')
    .argument('<file...>', 'a key file to create, named like the key set; - prints the key')
    .addOption(encodingFlag())
    .addOption(algorithmFlag().default('HS256'))
    .addOption(kidFlag())
    .addOption(
      new Option('-o, --output <what>', 'write files, or print a Secret manifest')
        .choices(['file', 'secret'])
        .default('file'),
    )
    .option('--secret-name <name>', 'metadata.name of the manifest', 'signer-keys')
    .addOption(
      new Option('--mode <mode>', 'file mode; default: 0600, or that of the replaced file').argParser(
        parseMode,
      ),
    )
    .option('--replace', 'replace files that exist')
    .addOption(new Option('--if-missing', 'leave files that exist as they are').conflicts('replace'))
    .addOption(jsonFlag());
  const createKeys = lazyAction(async () => (await import('./new.ts')).keysNew);
  return command.action(async (files: readonly string[], options: NewOptions) => {
    const plain = files.find((file) => (options.encoding ?? defaultEncoding(file)) !== 'jwks');
    if (options.kid !== undefined && plain !== undefined) {
      command.error(`error: --kid is for a JWK set, and ${plain} is not one; name it *.jwks.json`);
    }
    if (options.json && (options.output === 'secret' || files.includes('-'))) {
      command.error('error: --json lists the created files; it cannot be used where the key is printed');
    }
    await createKeys(files, options);
  });
}

/** The argument and the flags of a command for a key file or a Secret manifest. */
function withFileFlags(command: Command): Command {
  const about = 'a key file, a Secret manifest (*.yaml), or - for a manifest on standard input';
  return command
    .addArgument(new Argument('<file>', about))
    .option('--entry <name>', 'which entry of the Secret manifest')
    .addOption(jsonFlag());
}

function encodingFlag(): Option {
  return new Option(
    '--encoding <encoding>',
    'how the key is written; default: bytes, or jwks for *.jwks.json',
  ).choices(keyEncodings);
}

function algorithmFlag(more = ''): Option {
  return new Option('--algorithm <algorithm>', `what the key is for; sets its length${more}`).choices(
    currentAlgorithms,
  );
}

function kidFlag(): Option {
  return new Option('--kid <kid>', 'the id of the new key in its JWK set; default: derived from the key');
}
