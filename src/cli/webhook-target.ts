/** The flags `--url`, `--method` and `--id`: what a webhook scheme reads beside the message and its headers. */

import { targetHeaders } from '../api/message-headers.ts';
import { providers } from '../api/providers.ts';
import type { Described } from './call.ts';
import { CommandFailure } from './failure.ts';

export interface Target {
  readonly url?: string;
  readonly method?: string;
  readonly id?: string;
}

/** Templates of a scheme that hold one of these variables need the flag. */
const variables: Readonly<Record<keyof Target, RegExp>> = {
  url: /\{(?:url|path|query|host)\}/,
  method: /\{method\}/,
  id: /\{id\}/,
};
const names = Object.keys(variables) as (keyof Target)[];

/**
 * The HTTP headers that carry the target to the signer.
 * @throws {CommandFailure} for what the scheme does not read: it would look as if the signature covered it
 */
export function headersOfTarget(
  target: Target,
  { format, policy }: Described,
): Readonly<Record<string, string>> {
  const { [format]: provider = {} }: { readonly [_ in string]?: object } = providers;
  // Of the format `webhook`, the policy holds the scheme.
  const { signed, headers }: { signed?: unknown; headers?: unknown } =
    format === 'webhook' ? policy : provider;
  const templates = JSON.stringify([signed, headers]);
  const given = names.filter((name) => target[name] !== undefined);
  for (const name of given) {
    if (variables[name].test(templates)) continue;
    throw new CommandFailure(`the format of this key set does not read --${name}; leave it out`);
  }
  return Object.fromEntries(given.map((name) => [targetHeaders[name], target[name] ?? '']));
}
