/** The environment of the process. No other file reads it. */

import { CommandFailure } from './failure.ts';

/**
 * Variables that make the runtime or the loader run other code, or turn off protection. NODE_EXTRA_CA_CERTS is allowed:
 * it adds no code, and the signer opens no TLS connection.
 */
const injecting =
  /^(?:BUN_(?:OPTIONS|BE_BUN|CONFIG_.*|INSPECT.*|JSC_.*)|NODE_(?:OPTIONS|PATH)|LD_(?:PRELOAD|AUDIT|LIBRARY_PATH))$/;

/** @throws {CommandFailure} if a variable could put code into a process that reads keys */
export function refuseInjection(): void {
  const found = Object.keys(process.env).filter((name) => injecting.test(name));
  if (found.length === 0) return;
  const names = found.join(', ');
  throw new CommandFailure(
    `refusing to read keys with ${names} in the environment, which could load other code; unset it. If your manifests do not set it, an admission webhook does, of a tracing or monitoring agent for instance: exclude this container from its injection (docs/troubleshooting.md)`,
  );
}

/** Removes empty variables of flags: they count as not set. */
export function normaliseEnvironment(): void {
  for (const [name, value] of Object.entries(process.env)) {
    if (name.startsWith('SIGNER_') && value === '') delete process.env[name];
  }
}

/** @returns the value of a variable that holds a key. It is removed from the environment, also for child processes. */
export function takeVariable(name: string): Buffer | undefined {
  const value = Object.hasOwn(process.env, name) ? process.env[name] : undefined;
  if (value === undefined) return undefined;
  delete process.env[name];
  return Buffer.from(value);
}
