/** `sidecar-signer healthcheck`: exit code 0 when a running signer is ready. */

import type { TcpAddress } from './address.ts';
import { readAnswer, send, type Target } from './call.ts';
import { isListing } from './keys/list.ts';
import { SettingError } from './setting-error.ts';

const timeoutMs = 2000;

type HealthOptions = Target & { readonly opsListen: TcpAddress | 'none'; readonly json?: true };

/** @throws {SettingError} when it is not ready */
export async function healthcheck(options: HealthOptions): Promise<void> {
  const tell = (ready: boolean) => options.json && process.stdout.write(`${JSON.stringify({ ready })}\n`);
  try {
    await requireReady(options);
    tell(true);
  } catch (error) {
    tell(false);
    throw error;
  }
}

async function requireReady(options: HealthOptions): Promise<void> {
  const init = { signal: AbortSignal.timeout(timeoutMs) };
  const { opsListen } = options;
  // Without an ops listener, a signer that is ready is one that lists its keys.
  const [response, isReady] =
    opsListen === 'none'
      ? [await send(options, '/v1/keys', init), isListing]
      : [await send({ listen: opsListen }, '/readyz', init), isReadiness];
  const { status } = response;
  const answer = await readAnswer(response);
  if (status === 200 && answer !== undefined && isReady(answer)) return;
  if (status === 503 && answer !== undefined)
    throw new SettingError('the signer is not ready: no valid keys are loaded yet, or it is stopping');
  const flag = opsListen === 'none' ? '--listen or --socket' : '--ops-listen';
  throw new SettingError(`what answers there is not a signer (status ${status}); check ${flag}`);
}

function isReadiness(answer: object): boolean {
  return 'ready' in answer && answer.ready === true;
}
