/** `sidecar-signer healthcheck`: exit code 0 when a running signer is ready. */

import type { TcpAddress } from './address.ts';
import { type CallOptions, fetchFrom, notASigner, readAnswer } from './call.ts';
import { CommandFailure } from './failure.ts';
import { isListing } from './keys/list.ts';

const timeoutMs = 2000;

export interface HealthOptions extends CallOptions {
  readonly opsListen: TcpAddress | 'none';
}

/** @throws {CommandFailure} when it is not ready */
export async function healthcheck(options: HealthOptions): Promise<void> {
  let ready = false;
  try {
    await requireReady(options);
    ready = true;
  } finally {
    if (options.json) process.stdout.write(`${JSON.stringify({ ready })}\n`);
  }
}

async function requireReady({ opsListen, ...signer }: HealthOptions): Promise<void> {
  const init = { signal: AbortSignal.timeout(timeoutMs) };
  // Without an ops listener, ask for the key sets: only a signer that is ready lists them.
  const [response, isReady, flag] =
    opsListen === 'none'
      ? ([await fetchFrom(signer, '/v1/keys', init), isListing, '--listen or --socket'] as const)
      : ([await fetchFrom({ listen: opsListen }, '/readyz', init), isReadiness, '--ops-listen'] as const);
  const answer = await readAnswer(response);
  if (response.status === 200 && answer !== undefined && isReady(answer)) return;
  if (response.status === 503 && answer !== undefined) {
    throw new CommandFailure('the signer is not ready: no valid keys are loaded yet, or it is stopping');
  }
  throw notASigner(response, flag);
}

function isReadiness(answer: object): boolean {
  return 'ready' in answer && answer.ready === true;
}
