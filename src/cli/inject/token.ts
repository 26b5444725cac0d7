/** Whether a pod asks for a token of its service account by a volume of its own. */

import { listOf, valueAt } from './fields.ts';
import type { Pod } from './workload.ts';

export function hasProjectedToken({ volumes }: Pod): boolean {
  return volumes.some((volume) =>
    listOf(valueAt(volume, ['projected', 'sources'])).some(
      (source) => source['serviceAccountToken'] !== undefined,
    ),
  );
}
