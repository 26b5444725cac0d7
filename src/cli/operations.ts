/** The commands that ask a running signer for an operation of a key set, with their flags and help. */

import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { isTargetText, targetRule } from '../api/limits.ts';
import type { HttpHeaders } from '../api/messages.ts';
import type { CallOptions, RequestContent } from './call.ts';
import { collectHeaders, lazyAction, withSignerFlags } from './flags.ts';
import type { Target } from './webhook-target.ts';

interface OperationOptions extends CallOptions, Target {
  readonly request?: string;
  readonly tenant?: string;
}

interface VerifyOptions extends OperationOptions {
  readonly header: HttpHeaders;
}

export function createSignCommand(): Command {
  const action = lazyAction(async () => (await import('./sign.ts')).sign);
  const command = withOperationFlags(new Command('sign'))
    .description(
      'sign through a running signer: a message (raw and webhook formats), or a JSON request of any format',
    )
    .usage('[options] <key> [file]\n       sidecar-signer sign [options] --request <file> <key>')
    .addArgument(keyArgument())
    .addArgument(fileArgument())
    .addOption(targetFlag('--id <id>', 'id of the webhook message; default: a new one'));
  return command.action(async (key: string, file: string | undefined, options: OperationOptions) => {
    const request = await requestOf(command, options, file !== undefined);
    const given = request ?? { file: file ?? '-', target: targetOf(options) };
    await action(key, given, signerOf(options));
  });
}

export function createVerifyCommand(): Command {
  const action = lazyAction(async () => (await import('./verify.ts')).verify);
  const command = withOperationFlags(new Command('verify'))
    .description(
      'verify through a running signer: a message (raw and webhook formats), or a JSON request of any format; exit code 1 if it is not valid',
    )
    .usage(
      '[options] <key> <signature> [file]\n       sidecar-signer verify [options] --header <line> <key> [file]\n       sidecar-signer verify [options] --request <file> <key>',
    )
    .addArgument(keyArgument())
    .argument('[signature]', 'the signature, in the output encoding of the key; only for the format raw')
    .addArgument(fileArgument())
    .addOption(
      new Option(
        '-H, --header <line>',
        'a header that came with a webhook, such as "Stripe-Signature: t=…", or @FILE with one on each line; repeatable',
      )
        .argParser(collectHeaders)
        .default({}, 'none'),
    );
  type Operand = string | undefined;
  return command.action(async (key: string, first: Operand, second: Operand, options: VerifyOptions) => {
    const { header } = options;
    const signer = signerOf(options);
    const hasHeaders = command.getOptionValueSource('header') === 'cli';
    const request = await requestOf(command, options, first !== undefined || hasHeaders);
    if (request !== undefined) return await action(key, request, signer);
    const target = targetOf(options);
    if (hasHeaders) {
      if (second !== undefined) command.error('error: with --header, give only the key and the file');
      return await action(key, { file: first ?? '-', signature: header, target }, signer);
    }
    if (first === undefined) {
      return command.error(
        'error: give the signature, --header with the headers that carry it, or --request',
      );
    }
    if (Object.keys(target).length > 0) {
      command.error('error: --url and --method are for webhooks, whose signature is given with --header');
    }
    await action(key, { file: second ?? '-', signature: first, target }, signer);
  });
}

export function createChallengeCommand(): Command {
  return withSignerFlags(new Command('challenge'))
    .description('answer the challenge of a webhook provider, such as Zoom or X, through a running signer')
    .addArgument(keyArgument())
    .argument('<token>', 'the token that the provider has sent')
    .addOption(tenantFlag())
    .action(lazyAction(async () => (await import('./challenge.ts')).challenge));
}

function withOperationFlags(command: Command): Command {
  return withSignerFlags(command)
    .addOption(
      new Option(
        '--request <file>',
        'send this JSON request, as the HTTP API takes it, in place of a message; - for standard input',
      ).argParser(parseNotEmpty),
    )
    .addOption(tenantFlag())
    .addOption(targetFlag('--url <url>', 'URL of the webhook, where its scheme signs it'))
    .addOption(targetFlag('--method <method>', 'method of the webhook, where its scheme signs it'));
}

/** The request of `--request`, which says everything but the key and perhaps the tenant. */
async function requestOf(
  command: Command,
  { request, tenant, ...options }: OperationOptions,
  hasOperands: boolean,
): Promise<RequestContent | undefined> {
  if (request === undefined) {
    if (tenant === undefined) return undefined;
    return command.error('error: --tenant needs --request: keys of tenants take requests in JSON only');
  }
  if (hasOperands || Object.keys(targetOf(options)).length > 0) {
    command.error('error: with --request, give only the key, and perhaps --tenant; the request has the rest');
  }
  const { readRequest } = await import('./request-file.ts');
  return { request: readRequest(request, tenant, (message) => command.error(`error: ${message}`)) };
}

function targetOf({ url, method, id }: Target): Target {
  return {
    ...(url !== undefined && { url }),
    ...(method !== undefined && { method }),
    ...(id !== undefined && { id }),
  };
}

function signerOf({ listen, socket, json }: CallOptions): CallOptions {
  return { listen, ...(socket !== undefined && { socket }), ...(json && { json }) };
}

function tenantFlag(): Option {
  return new Option('--tenant <name>', 'tenant whose key is used, if the key set derives keys').argParser(
    parseNotEmpty,
  );
}

function targetFlag(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text) => {
    if (isTargetText(text)) return text;
    throw new InvalidArgumentError(`expected ${targetRule}`);
  });
}

/** A variable of a shell that is not set gives an empty text. */
function parseNotEmpty(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('expected a value that is not empty');
}

export function keyArgument(): Argument {
  return new Argument('<key>', 'name of the key set');
}

function fileArgument(): Argument {
  return new Argument('[file]', 'the message (default: standard input)');
}
