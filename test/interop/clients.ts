/**
 * Libraries of providers, which the interop suite verifies with. They are installed into clients/ when the suite starts,
 * after the type check, so they are loaded by name, and whoever loads one declares its type.
 */

import { createRequire } from 'node:module';
import { join } from 'node:path';

const fromClients = createRequire(join(import.meta.dirname, 'clients/package.json'));

export function load<Library>(name: string): Library {
  return fromClients(name) as Library;
}
