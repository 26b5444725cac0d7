/** What a caller may know about a key set: never key material. */

import type { KeySet } from '../key-sets/snapshot.ts';
import { allowedTo } from '../signing/policy.ts';

export function describeKeySet({ name, settings, keys, tenantKeys, since }: KeySet, caller: string): object {
  const { format, policy } = settings;
  const [primary] = keys;
  return {
    name,
    format: format.name,
    algorithm: primary.mac.algorithm,
    allow: allowedTo(policy, caller),
    keyIds: keys.map(({ id }) => id),
    primary: primary.id,
    since: since.toISOString(),
    // Do not list the tenants: they are the application's customers.
    ...(tenantKeys && { derived: true }),
    policy: {
      ...format.options,
      ...(Number.isFinite(policy.maxMessageBytes) && { maxMessageBytes: policy.maxMessageBytes }),
      ...(policy.rateLimit && { rateLimit: policy.rateLimit }),
    },
  };
}
