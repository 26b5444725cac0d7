/** `sidecar-signer status`: what a running signer has in force, and every problem. */

import type { Status } from '../api/status.ts';
import type { TcpAddress } from './address.ts';
import { type CallOptions, callSigner, fetchFrom, notASigner, readAnswer } from './call.ts';
import { CommandFailure } from './failure.ts';
import { isListing } from './keys/list.ts';
import { printResult } from './output.ts';
import { type CallerStatus, formatStatus } from './status-text.ts';

const timeoutMs = 5000;

export interface StatusOptions extends CallOptions {
  readonly opsListen: TcpAddress | 'none';
}

/** @throws {CommandFailure} when no signer answers, or it has no key set of one of these names */
export async function status(names: readonly string[], options: StatusOptions): Promise<void> {
  const answer = await ask(options).catch((error) => {
    if (options.json) process.stdout.write(`${JSON.stringify({ ready: false })}\n`);
    throw error;
  });
  const found = names.length === 0 ? answer : only(answer, new Set(names));
  printResult(options, found, formatStatus(found, { isChosen: names.length > 0, columns: columns() }));
  process.exitCode = answer.ready ? 0 : 1;
}

async function ask({ opsListen, ...signer }: StatusOptions): Promise<Status | CallerStatus> {
  if (opsListen === 'none') {
    const { caller, keys } = await callSigner(signer, '/v1/keys', isListing);
    return { ready: true, caller, keySets: keys.length, keys };
  }
  const init = { signal: AbortSignal.timeout(timeoutMs) };
  const response = await fetchFrom({ listen: opsListen }, '/status', init);
  const answer = await readAnswer(response);
  if (response.status === 200 && answer !== undefined && isStatus(answer)) return answer;
  throw notASigner(response, '--ops-listen');
}

function only<S extends Status | CallerStatus>(answer: S, names: ReadonlySet<string>): S {
  const keys = [...answer.keys].filter(({ name }) => names.has(name));
  if (keys.length < names.size) {
    const whose = 'caller' in answer ? ` for the caller "${answer.caller}"` : '';
    throw new CommandFailure(
      `there is no key set of ${names.size === 1 ? 'this name' : 'one of these names'}${whose}; "sidecar-signer status --json" lists all`,
    );
  }
  return { ...answer, keys };
}

function isStatus(answer: object): answer is Status {
  const lists = ['keys', 'listeners', 'ops', 'volumes'];
  const fields: Readonly<Record<string, unknown>> = { ...answer };
  const texts = ['version', 'startedAt'];
  return (
    typeof fields['ready'] === 'boolean' &&
    texts.every((name) => typeof fields[name] === 'string') &&
    lists.every((name) => Array.isArray(fields[name]))
  );
}

/** How wide the terminal is. */
function columns(): number {
  const { columns: known } = process.stdout;
  return Math.max(known ?? 0, 0) || 80;
}
