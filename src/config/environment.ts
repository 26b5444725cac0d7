/** The only file that reads the process environment: what must not be in it, what stands for a flag, and keys. */

import { SettingError } from './setting-error.ts';

/** Variables that make the runtime or the loader run code of somebody else's choice inside the signer. */
const injecting = /^(?:BUN_OPTIONS|BUN_CONFIG_.*|BUN_INSPECT.*|LD_PRELOAD)$/;

/** @throws {SettingError} when the environment could put code into the process that holds the keys */
export function refuseInjection(): void {
  const found = Object.keys(process.env).filter((name) => injecting.test(name));
  if (found.length === 0) return;
  throw new SettingError(`refusing to hold keys with ${found.join(', ')} in the environment; unset it`);
}

/** An empty variable is an unset one, and a switch is on for `true` and `1` alone. @throws {SettingError} */
export function normaliseEnvironment(): void {
  for (const [name, value] of Object.entries(process.env)) {
    if (name.startsWith('SIGNER_') && value === '') delete process.env[name];
  }
  const remote = process.env['SIGNER_ALLOW_REMOTE'];
  if (remote === undefined || remote === 'true' || remote === '1') return;
  if (remote !== 'false' && remote !== '0')
    throw new SettingError('SIGNER_ALLOW_REMOTE must be true or false');
  delete process.env['SIGNER_ALLOW_REMOTE'];
}

/** The value of a variable that holds a key, which is gone from the environment afterwards. */
export function takeVariable(name: string): Buffer | undefined {
  const value = process.env[name];
  if (value === undefined) return undefined;
  delete process.env[name];
  return Buffer.from(value);
}
