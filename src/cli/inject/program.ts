/** The command `inject`, with its flags and help. */

import { Command, InvalidArgumentError, Option } from 'commander';
import { isCallerName } from '../../key-sets/settings.ts';
import { jsonFlag, lazyAction } from '../flags.ts';
import type { InjectFlags } from './command.ts';
import { type CallerContainers, defaults } from './options.ts';

const collectedCallers: readonly CallerContainers[] = defaults.callers;

export function createInjectCommand(): Command {
  const command = new Command('inject')
    .description('add the signer to the workloads in Kubernetes manifests, and write the manifests')
    .argument('[file]', 'the manifests, YAML or JSON (default: standard input)')
    .option('--all', 'change every workload, not only those with the label sidecar-signer/inject: "true"')
    .option('--remove', 'take out what inject has added')
    .option('--classic', 'add an ordinary container, for Kubernetes before 1.29')
    .option('--force', 'go on where the protection of the key is undone')
    .addOption(valueFlag('--image <image>', 'image of the signer', /^[^\s]+$/, defaults.image))
    .addOption(nameFlag('--secret <name>', 'Secret with the key files').default(defaults.secret))
    .addOption(
      nameFlag(
        '--secret-provider-class <name>',
        'SecretProviderClass of the CSI driver, in place of the Secret',
      ).conflicts('secret'),
    )
    .addOption(
      nameFlag('--config-map <name>', 'ConfigMap with signer.yaml, or none').default(defaults.configMap),
    )
    .addOption(
      new Option('--socket <path>', 'path of the socket in the containers')
        .argParser(parsePath)
        .default(defaults.socket),
    )
    .addOption(
      new Option('--tcp', 'serve at http://127.0.0.1:8700 in the pod, in place of the socket').conflicts([
        'socket',
        'containers',
        'caller',
      ]),
    )
    .addOption(
      new Option('--containers <names>', 'containers that get the socket (default: all)').argParser(
        parseContainers,
      ),
    )
    .addOption(
      new Option(
        '--caller <name=containers>',
        'a caller with a socket of its own, for these containers; repeatable',
      )
        .argParser(collectCallers)
        .default(collectedCallers, 'one socket for all')
        .conflicts('containers'),
    )
    .option('--audit', 'write an audit to a volume that ends with the pod')
    .addOption(
      new Option('--env <name=value>', 'another variable SIGNER_… of the signer; repeatable')
        .argParser(collectVariables)
        .default({}, 'none'),
    )
    .addOption(quantityFlag('--cpu <quantity>', 'CPU that is requested').default(defaults.cpu))
    .addOption(quantityFlag('--cpu-limit <quantity>', 'CPU limit (default: none)'))
    .addOption(quantityFlag('--memory <quantity>', 'memory that is requested').default(defaults.memory))
    .addOption(quantityFlag('--memory-limit <quantity>', 'memory limit').default(defaults.memoryLimit))
    .addOption(
      new Option(
        '--uid <number>',
        'user and group of the signer (default: 65532, or lower if it is taken)',
      ).argParser(numberBetween(1, 2 ** 31 - 1)),
    )
    .addOption(
      new Option('--ops-port <port>', 'port of the probes and metrics')
        .argParser(numberBetween(1024, 65_535))
        .default(defaults.opsPort),
    )
    .addOption(jsonFlag('print the summary as JSON'));
  const run = lazyAction(async () => (await import('./command.ts')).injectCommand);
  return command.action((file: string | undefined, flags: InjectFlags) => run(file ?? '-', flags));
}

function valueFlag(flags: string, description: string, pattern: RegExp, value: string): Option {
  return new Option(flags, description)
    .argParser(matching(pattern, 'expected a value without spaces'))
    .default(value);
}

const names = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

function nameFlag(flags: string, description: string): Option {
  return new Option(flags, description).argParser(
    matching(names, 'expected the name of an object, for instance signer-keys'),
  );
}

function quantityFlag(flags: string, description: string): Option {
  return new Option(flags, description).argParser(
    matching(/^\d{1,12}(?:\.\d{1,9})?(?:m|k|[KMGT]i?)?$/, 'expected a quantity, for instance 50m or 96Mi'),
  );
}

function matching(pattern: RegExp, expected: string): (text: string) => string {
  return (text) => {
    if (pattern.test(text)) return text;
    throw new InvalidArgumentError(expected);
  };
}

function numberBetween(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d{1,10}$/.test(text) && number >= least && number <= most) return number;
    throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}`);
  };
}

/** The signer mounts a directory for the socket, which cannot be the root. A comma or `=` would end the path. */
function parsePath(text: string): string {
  if (/^(?:\/(?!\.{1,2}\/)[A-Za-z0-9._-]+){2,}$/.test(text) && text.length <= 60) return text;
  throw new InvalidArgumentError(
    'expected an absolute path with a directory of at most 60 characters, for instance /run/signer/signer.sock',
  );
}

function parseContainers(text: string): readonly string[] {
  const given = text.split(',');
  if (given.every((name) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name))) return given;
  throw new InvalidArgumentError('expected names of containers, with commas between');
}

function collectCallers(text: string, previous: readonly CallerContainers[]): readonly CallerContainers[] {
  const at = text.indexOf('=');
  const name = text.slice(0, Math.max(at, 0));
  // The name becomes a part of the name of a volume, which has at most 63 characters.
  if (!isCallerName(name) || name.length > 40 || name.endsWith('-') || name === 'tcp') {
    throw new InvalidArgumentError('expected NAME=CONTAINER, for instance web=nginx,php');
  }
  const containers = parseContainers(text.slice(at + 1));
  if (previous.some((each) => each.name === name)) {
    throw new InvalidArgumentError(`the caller "${name}" is given twice; give all of its containers at once`);
  }
  const taken = containers.find((each) => previous.some((other) => other.containers.includes(each)));
  if (taken !== undefined) {
    throw new InvalidArgumentError(`the container "${taken}" has two callers; it can use one socket`);
  }
  return [...previous, { name, containers }];
}

/** Set by other flags, or by what the pod is. */
const managed = /^SIGNER_(?:CONFIG|KEYS|LISTEN|SOCKET|OPS_LISTEN|ALLOW_REMOTE)$/;

function collectVariables(
  text: string,
  previous: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const [, name, value] = /^(SIGNER_[A-Z_]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new InvalidArgumentError('expected a variable of serve, for instance SIGNER_LOG_LEVEL=warn');
  }
  if (managed.test(name)) throw new InvalidArgumentError(`${name} follows from the other flags of inject`);
  return { ...previous, [name]: value };
}
