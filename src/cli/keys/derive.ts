/** `sidecar-signer keys derive`: prints the secret of one tenant, if the configuration allows its export. */

import type { Root } from '../../key-sets/key.ts';
import { isKeySetName, keySetNameRule } from '../../key-sets/settings.ts';
import type { KeySet } from '../../key-sets/snapshot.ts';
import { CommandFailure } from '../failure.ts';
import { type KeyOptions, readKeysOnce } from '../open-keys.ts';
import { printResult } from '../output.ts';

export interface DeriveOptions extends KeyOptions {
  readonly config: string;
  /** The id of a root. Default: the primary. */
  readonly root?: string;
  readonly json?: true;
}

/** @throws {CommandFailure} */
export async function keysDerive(name: string, tenant: string, options: DeriveOptions): Promise<void> {
  const { store, problems } = await readKeysOnce(options);
  if (store?.current === undefined) {
    throw new CommandFailure(`the keys cannot be loaded: ${problems.join('; ')}`);
  }
  const { keySets } = store.current;
  const keySet = keySets.get(name);
  if (keySet === undefined) {
    const names = [...keySets.keys()].join(', ');
    throw new CommandFailure(`there is no key set of this name; there are: ${names}`);
  }
  const root = chooseRoot(keySet, options.root);
  requireTenant(keySet, tenant, options.config);
  if (root.exportSecret === undefined) {
    throw new CommandFailure(
      `the secrets of "${name}" must not be exported; to allow it, set keys.${name}.allowExport: true in ${options.config}`,
    );
  }
  const secret = root.exportSecret(tenant);
  const { id: keyId, mac } = root.derive(tenant).key;
  const { name: format, secretEncoding: encoding = 'hex' } = keySet.settings.format;
  store.drop();
  printResult(options, { name, tenant, format, algorithm: mac.algorithm, keyId, encoding, secret }, secret);
}

function chooseRoot({ name, loaded }: KeySet, id: string | undefined): Root {
  const found = id === undefined ? loaded[0] : loaded.find(({ key }) => key.id === id);
  if (found === undefined) {
    const ids = loaded.map(({ key }) => key.id).join(', ');
    throw new CommandFailure(`"${name}" has no root of this id (--root); it has: ${ids}`);
  }
  if (found.root !== undefined) return found.root;
  throw new CommandFailure(
    `"${name}" has no derived keys; in the configuration, give it deriveFrom in place of a key`,
  );
}

function requireTenant({ name, settings: { policy } }: KeySet, tenant: string, config: string): void {
  if (!isKeySetName(tenant)) {
    throw new CommandFailure(`the name of the tenant is not valid; use ${keySetNameRule}`);
  }
  if (policy.tenants?.has(tenant) === false) {
    throw new CommandFailure(
      `"${name}" does not serve this tenant; add it to keys.${name}.tenants in ${config}`,
    );
  }
}
