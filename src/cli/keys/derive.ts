/** `sidecar-signer keys derive`: the secret of one tenant, to be handed to it, where the configuration allows that. */

import type { LoadedKey, Root } from '../../key-sets/key.ts';
import { isKeySetName, keySetNameRule } from '../../key-sets/settings.ts';
import type { KeySet, Snapshot } from '../../key-sets/snapshot.ts';
import { type KeyOptions, readOnce } from '../open-keys.ts';
import { SettingError } from '../setting-error.ts';

export interface DeriveOptions extends KeyOptions {
  readonly config: string;
  /** The id of a root that is not the primary. */
  readonly root?: string;
  readonly json?: true;
}

/** @throws {SettingError} */
export async function keysDerive(name: string, tenant: string, options: DeriveOptions): Promise<void> {
  const { store, problems } = await readOnce(options);
  const snapshot = store.current;
  if (snapshot === undefined) {
    throw new SettingError(`the keys are not loaded: ${problems.join('; ')}`);
  }
  const keySet = find(snapshot, name);
  const { root } = choose(keySet, options.root);
  requireTenant(keySet, tenant);
  const secret = exported(root, keySet, tenant, options.config);
  const { format } = keySet.settings;
  const { id, mac } = root.derive(tenant).key;
  store.drop();
  const described = {
    name,
    tenant,
    format: format.name,
    algorithm: mac.algorithm,
    keyId: id,
    encoding: format.secretEncoding ?? 'hex',
    secret,
  };
  process.stdout.write(`${options.json ? JSON.stringify(described) : secret}\n`);
}

function find({ keySets }: Snapshot, name: string): KeySet {
  const keySet = keySets.get(name);
  if (keySet !== undefined) return keySet;
  throw new SettingError(`there is no key set of this name; there are: ${[...keySets.keys()].join(', ')}`);
}

/** The root of this id, or the primary. */
function choose({ name, loaded }: KeySet, id: string | undefined): LoadedKey & { readonly root: Root } {
  const found = id === undefined ? loaded[0] : loaded.find(({ key }) => key.id === id);
  if (found === undefined) {
    const ids = loaded.map(({ key }) => key.id).join(', ');
    throw new SettingError(`"${name}" has no root of this id (--root); it has: ${ids}`);
  }
  const { root } = found;
  if (root !== undefined) return { ...found, root };
  throw new SettingError(
    `"${name}" derives no keys; in the configuration, give it deriveFrom in place of a key`,
  );
}

function requireTenant({ name, settings: { policy } }: KeySet, tenant: string): void {
  if (!isKeySetName(tenant)) throw new SettingError(`the tenant's name is not usable; use ${keySetNameRule}`);
  if (policy.tenants?.has(tenant) === false) {
    throw new SettingError(
      `"${name}" does not serve this tenant; its configuration lists those it does (tenants)`,
    );
  }
}

function exported({ exportSecret }: Root, { name }: KeySet, tenant: string, config: string): string {
  if (exportSecret !== undefined) return exportSecret(tenant);
  throw new SettingError(
    `the secrets of "${name}" are not to be exported; to hand one out, set keys.${name}.allowExport: true in ${config}`,
  );
}
