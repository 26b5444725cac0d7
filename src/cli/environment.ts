/** The only file that reads the process environment: what must not be in it, what stands for a flag, and keys. */

import { SettingError } from './setting-error.ts';

/**
 * Variables that make the runtime or the loader run code of somebody else's choice, or with less protection.
 * NODE_EXTRA_CA_CERTS is not among them: it adds no code, and the signer opens no TLS connection.
 */
const injecting =
  /^(?:BUN_(?:OPTIONS|BE_BUN|CONFIG_.*|INSPECT.*|JSC_.*)|NODE_(?:OPTIONS|PATH)|LD_(?:PRELOAD|AUDIT|LIBRARY_PATH))$/;

/** @throws {SettingError} when the environment could put code into the process that holds the keys */
export function refuseInjection(): void {
  const found = Object.keys(process.env).filter((name) => injecting.test(name));
  if (found.length === 0) return;
  throw new SettingError(`refusing to hold keys with ${found.join(', ')} in the environment; unset it`);
}

/** An empty variable is an unset one. */
export function normaliseEnvironment(): void {
  for (const [name, value] of Object.entries(process.env)) {
    if (name.startsWith('SIGNER_') && value === '') delete process.env[name];
  }
}

/** The value of a variable that holds a key, which is gone from the environment afterwards. */
export function takeVariable(name: string): Buffer | undefined {
  const value = Object.hasOwn(process.env, name) ? process.env[name] : undefined;
  if (value === undefined) return undefined;
  delete process.env[name];
  return Buffer.from(value);
}
