/** What is recorded of an operation that did not succeed, whatever its format has noted. */

import { expect, it } from 'vitest';
import { eventOf, outcomeOf } from '../../src/http/audited.ts';

const notes = { bytes: 3, tenant: 'acme', keyId: 'k', signature: 'secret', about: { sub: 'ann' } };
const attempt = { caller: 'tcp', operation: 'verify', keySet: undefined } as const;

it.each(['invalid', 'rate_limited', 'internal'] as const)('of %s, the length only', (outcome) => {
  const { about, signature, keyId, tenant } = eventOf(attempt, outcome, notes, { keyId: 'k' });
  expect({ about, signature, keyId, tenant }).toEqual({ about: { bytes: 3 }, tenant: 'acme' });
});

it('of one that did, what the format has noted', () => {
  expect(eventOf(attempt, 'ok', notes, { keyId: 'own' })).toMatchObject({
    ...{ keyId: 'own', signature: 'secret', about: { bytes: 3, sub: 'ann' } },
  });
});

it.each([
  ['Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE', '(an id of 43 characters)'],
  ['0'.repeat(64), '(an id of 64 characters)'],
  ['2026-06', '2026-06'],
  ['0608196f3f6d9b87', '0608196f3f6d9b87'],
])('holds no id that could be a key, exchanged with it in a JWK set: %s', (keyId, shown) => {
  expect(eventOf(attempt, 'ok', notes, { keyId }).keyId).toBe(shown);
  expect(eventOf(attempt, 'ok', { ...notes, keyId }, {}).keyId).toBe(shown);
});

it('takes an answer that is not valid for no success', () => {
  const outcomes = [{ valid: false }, { valid: true }, {}].map(outcomeOf);
  expect(outcomes).toEqual(['invalid', 'ok', 'ok']);
});
