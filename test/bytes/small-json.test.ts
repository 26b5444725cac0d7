/** How large a JSON text is, as far as its punctuation tells. */

import { expect, it } from 'vitest';
import { isSmallJson } from '../../src/bytes/small-json.ts';

const small = (text: string, values: number, depth = 64) => isSmallJson(Buffer.from(text), { values, depth });

it.each([
  ['[1,2,3]', 3],
  ['{"a":1,"b":2}', 2],
  ['{"a":{"b":[]}}', 3],
  ['[[],[],[]]', 6],
  ['"[[,,{{"', 0],
  [String.raw`"\"[,\\"`, 0],
  [String.raw`["\\",","]`, 2],
])('%s has %i values', (text, values) => {
  expect(small(text, values)).toBe(true);
  expect(small(text, values - 1)).toBe(false);
});

it('counts levels, not brackets', () => {
  expect(small('[[[]],[[]]]', 100, 3)).toBe(true);
  expect(small('[[[]],[[]]]', 100, 2)).toBe(false);
});

it('says nothing of a text that ends in a string', () => {
  expect(small('["[[[[', 1)).toBe(true);
});
