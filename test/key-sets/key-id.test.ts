/** An id that could be a key is not printed. */

import { randomBytes, randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { shownId } from '../../src/key-sets/key-id.ts';

it.each(['2026-11', 'primary', 'dc069d4aa55988c4', randomUUID(), 'a-long-name-of-a-key-in-words'])(
  '%s is shown',
  (id) => {
    expect(shownId(id)).toBe(id);
  },
);

it.each([
  randomBytes(16).toString('hex'),
  randomBytes(16).toString('hex').toUpperCase(),
  'q83vEjRWeJCrze8SNFZ4kA',
  'x'.repeat(37),
])('%s is withheld', (id) => {
  expect(shownId(id)).toBe(`(an id of ${id.length} characters)`);
});
