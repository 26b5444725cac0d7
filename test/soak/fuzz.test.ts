/** Mutations of every request in short, each time others: `npm run soak -- --part fuzz` has the long run. */

import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { fuzz } from './fuzz.ts';

it('answers every mutation of a request as it should', { timeout: 300_000 }, async () => {
  const seed = randomInt(2 ** 31);
  for await (const { format, mutations, outcomes, failures } of fuzz({ seed, count: 30 })) {
    expect(failures, format).toEqual([]);
    // Many are refused for their shape, and the signatures of the others are still checked.
    const count = (...names: readonly string[]) =>
      names.reduce((sum, name) => sum + (outcomes.get(name) ?? 0), 0);
    expect(count('malformed_request'), format).toBeGreaterThan(mutations / 10);
    expect(count('ok', 'valid'), format).toBeGreaterThan(mutations / 10);
    expect(count('missing', 'malformed', 'mismatch'), format).toBeGreaterThan(0);
  }
});
